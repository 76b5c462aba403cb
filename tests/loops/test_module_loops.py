"""Loops without a loader and an optimizer: the calls of their module bound the steps."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
import weakref

import pytest

from jupyter_gpuperf.loops import batch_counter, module_lead, phase_clock
from jupyter_gpuperf.loops.flop_watch import follow_work
from jupyter_gpuperf.loops.loop_watch import LoopWatch, silence_in_child
from jupyter_gpuperf.loops.module_calls import TorchCodes
from jupyter_gpuperf.loops.module_lead import LEAST_LOOKS
from jupyter_gpuperf.loops.module_loops import MOST_ACCUMULATED
from jupyter_gpuperf.loops.tallies import tally_of

torch = pytest.importorskip("torch")

needs_reports = pytest.mark.skipif(
    not hasattr(sys, "monitoring"), reason="Python reports calls of functions from 3.12 on"
)


@pytest.fixture
def watched(watching, monitoring):
    """Return a watch of everything, for the main thread alone."""
    watching.watch_everything()
    before = sys.getprofile()
    if hasattr(monitoring, "profile"):
        sys.setprofile(monitoring.profile)
    yield watching
    sys.setprofile(before)


@pytest.fixture
def look(watched):
    """Look at this thread now."""

    def look():
        watched.module_loops.look(sys._getframe(1), torch, TorchCodes.of(torch))

    return look


class Model(torch.nn.Module):
    """A model within whose calls this thread is looked at."""

    def __init__(self, look=lambda: None):
        super().__init__()
        self.linear, self.look, self.fails = torch.nn.Linear(3, 1), look, False

    def forward(self, x):
        self.look()
        if self.fails:
            raise ZeroDivisionError
        return self.linear(x)


@pytest.fixture
def model(look):
    return Model(look)


def call(model, times=1):
    for _ in range(times):
        model(torch.ones(2, 3))


@contextlib.contextmanager
def looked_at(watching):
    """Look at this thread all the time, from another one."""
    stop, main = threading.Event(), threading.get_ident()

    def run():
        while not stop.wait(0.001):
            frame = sys._current_frames()[main]
            watching.module_loops.look(frame, torch, TorchCodes.of(torch))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def call_until(model, is_done):
    until = time.monotonic() + 60
    with torch.no_grad():
        while not is_done() and time.monotonic() < until:
            call(model)


def steps(watching):
    """Return (name, what bounds it, steps, interrupted steps) of each loop with a step."""
    found = []
    for clock in watching.clocks:
        tally = tally_of(clock, 0.0)
        if tally is not None:
            assert clock.error is None
            counts = tally.count, tally.interrupted_count
            found.append((clock.info.name, clock.info.bounded_by, *counts))
    return found


def tool_of(monitoring):
    return [name for number in range(6) if (name := monitoring.get_tool(number))]


def test_a_step_lasts_from_one_call_to_the_next(watched, model):
    call(model, LEAST_LOOKS)  # in the last of them, it is found
    began = time.perf_counter()
    with torch.no_grad():
        for _ in range(6):
            call(model)
            time.sleep(0.01)
    whole_seconds = time.perf_counter() - began
    (clock,) = watched.clocks
    tally = tally_of(clock, 0.0)
    assert (clock.info.name, clock.info.bounded_by) == ("Model", "module")
    assert (tally.count, tally.training_count, tally.interrupted_count) == (5, 0, 0)
    assert 5 * 0.01 <= tally.step_seconds < whole_seconds
    assert (tally.wait_seconds, tally.samples_count) == (0.0, 0.0)


def test_the_loop_has_the_name_of_the_models_variable(watched, model):
    watched.name_of = lambda owner: "net" if owner is model else None
    call(model, LEAST_LOOKS + 4)
    assert steps(watched) == [("net", "module", 3, 0)]


def test_a_call_that_fails_begins_a_step_as_any_other(watched, model):
    call(model, LEAST_LOOKS)
    for number in range(6):
        model.fails = number % 2 == 0
        with contextlib.suppress(ZeroDivisionError):
            call(model)
    assert steps(watched) == [("Model", "module", 5, 0)]


class Nested(Model):
    """A model that contains models of its own class, and calls itself once more."""

    def __init__(self, look, depth):
        super().__init__(look)
        self.inner = Nested(lambda: None, depth - 1) if depth else None
        self.calls_itself = True

    def forward(self, x):
        super().forward(x)
        if self.inner is not None:
            self.inner(x)
        if self.calls_itself:
            self.calls_itself = False
            self(x)
            self.calls_itself = True
        return x


def test_calls_within_the_call_do_not_count(watched, look):
    model = Nested(look, depth=3)
    call(model, LEAST_LOOKS)
    steps(watched)
    call(model, 5)
    assert steps(watched) == [("Nested", "module", 5, 0)]


def test_calls_of_other_models_of_the_class_do_not_count(watched, model):
    call(model, LEAST_LOOKS)
    other = Model()
    for _ in range(6):
        call(model)
        call(other, 3)
    assert steps(watched) == [("Model", "module", 5, 0)]


def test_a_call_of_the_model_within_another_does_not_count(watched, model):
    call(model, LEAST_LOOKS)
    whole = torch.nn.Sequential(model)
    for _ in range(6):
        call(model)
        call(whole)
    assert steps(watched) == [("Model", "module", 5, 0)]


@contextlib.contextmanager
def much_later():
    """Within the context, the loop has not called its model for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_lead, "LEFT_SECONDS", -1e9)
        yield


def test_the_model_that_is_called_now_is_a_loop_of_its_own(watched, model, look):
    call(model, LEAST_LOOKS + 5)
    with much_later():
        look()
    second = torch.nn.Sequential(Model(look))
    call(second, LEAST_LOOKS + 5)
    assert [each[0] for each in steps(watched)] == ["Model", "Sequential"]


def test_calls_of_modules_without_parameters_are_no_loop(watched, look):
    class Loss(torch.nn.Module):
        def forward(self, x):
            look()
            return x.sum()

    call(Loss(), 10)
    assert watched.clocks == []


def train(model, optimizer=None, accumulated=1):
    for _ in range(accumulated):
        model(torch.ones(2, 3)).sum().backward()
    if optimizer is not None:
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("accumulated", [1, 16])
def test_the_optimizers_loop_wins(watched, model, monitoring, accumulated):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(6):
        train(model, optimizer, accumulated)
    assert steps(watched) == [("SGD", "optimizer", 5, 0)]
    model.look()
    assert tool_of(monitoring) == []


def test_the_calls_between_updates_are_no_loop_of_their_own(watched, model, monkeypatch):
    """As in reinforcement learning, whose rollouts take long."""
    monkeypatch.setattr(batch_counter, "LEFT_SECONDS", 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(6):
        for _ in range(4):
            train(model, optimizer)
        with torch.no_grad():
            call(model, 10 * LEAST_LOOKS)
    assert steps(watched) == [("SGD", "optimizer", 23, 0)]


def test_the_calls_in_the_next_cell_are_a_loop_of_their_own(watched, model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        train(model, optimizer)
    watched.pause()
    call(model, LEAST_LOOKS + 4)
    assert [each[:3] for each in steps(watched)] == [
        ("SGD", "optimizer", 3),
        ("Model", "module", 3),
    ]


def test_a_training_without_an_optimizer_of_torchs_is_seen_after_some_steps(watched, model):
    for _ in range(LEAST_LOOKS + MOST_ACCUMULATED + 10):
        train(model)
    ((name, bounded_by, count, _),) = steps(watched)
    assert (name, bounded_by) == ("Model", "module")
    assert 5 <= count <= 12


def test_the_loaders_loop_wins(watched, model, loader, monitoring):
    call(model, LEAST_LOOKS)
    for _ in loader(items=40):
        call(model, 20)
    assert steps(watched) == [("DataLoader(TensorDataset)", "loader", 10, 0)]
    model.look()
    assert tool_of(monitoring) == []


def test_what_is_called_before_the_first_batch_is_done_is_no_loop(watched, model, loader):
    for _ in loader(items=8):
        call(model, 20)
    assert steps(watched) == [("DataLoader(TensorDataset)", "loader", 2, 0)]


def test_calls_in_other_threads_do_not_count(watched, model, monitoring):
    call(model, LEAST_LOOKS)

    def run():
        if hasattr(monitoring, "profile"):
            sys.setprofile(monitoring.profile)
        model.look = lambda: None
        call(model, 10)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    call(model, 4)
    assert steps(watched) == [("Model", "module", 3, 0)]


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_a_checkpoint_computes_again_does_not_count(watched, model, reentrant):
    from torch.utils.checkpoint import checkpoint

    def train():
        x = torch.ones(2, 3, requires_grad=True)
        checkpoint(model, x, use_reentrant=reentrant).sum().backward()

    for _ in range(LEAST_LOOKS + MOST_ACCUMULATED + 2):
        train()
    steps(watched)
    for _ in range(5):
        train()
    assert steps(watched) == [("Model", "module", 5, 0)]


def test_a_forward_that_is_replaced_is_followed(watched, model, look):
    original = model.forward
    model.forward = lambda x: original(x) + 1
    call(model, LEAST_LOOKS + 4)
    assert steps(watched) == [("Model", "module", 3, 0)]


def test_a_decorated_forward_is_followed(watched, look):
    class Decorated(Model):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)

    call(Decorated(look), LEAST_LOOKS + 4)
    assert steps(watched) == [("Decorated", "module", 3, 0)]


def test_a_model_with_hooks_is_followed(watched, model):
    model.register_forward_hook(lambda *_: None)
    call(model, LEAST_LOOKS + 4)
    assert steps(watched) == [("Model", "module", 3, 0)]


def test_where_a_module_is_called_by_a_method_of_its_own_what_that_calls_is_followed(watched, look):
    class Callable(Model):
        def __call__(self, x):
            return self.linear(x)

    class Linear(torch.nn.Linear):
        def forward(self, x):
            look()
            return super().forward(x)

    model = Callable()
    model.linear = Linear(3, 1)
    call(model, LEAST_LOOKS + 4)
    assert steps(watched) == [("Linear", "module", 3, 0)]


def test_a_generator_leaves_the_calls_of_its_parts(watched, look):
    class Generating(Model):
        def forward(self, x):
            for _ in range(2):
                look()
                yield self.linear(x)

    for _ in range(10):
        assert len(list(Generating(look)(torch.ones(2, 3)))) == 2
    steps(watched)  # nothing to rely on, but no error


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_not_followed_and_works(watched, monitoring):
    scripted, began = torch.jit.script(torch.nn.Linear(3, 1)), time.monotonic()
    with looked_at(watched):
        call_until(scripted, lambda: time.monotonic() > began + 0.3)
    assert watched.clocks == []
    assert tool_of(monitoring) == []


def test_nothing_is_timed_while_timing_is_suspended(watched, model):
    call(model, LEAST_LOOKS)
    with watched.timing_suspended():
        call(model, 10)
    assert steps(watched) == []


def test_a_pause_between_cells_is_no_step(watched, model):
    call(model, LEAST_LOOKS)
    for _ in range(3):
        call(model, 4)
        watched.pause()
    assert steps(watched) == [("Model", "module", 9, 2)]


def test_only_named_loaders_are_watched_until_everything_is(watching, model):
    watching.stop()
    call(model, LEAST_LOOKS + 4)
    assert watching.clocks == []


def test_nothing_is_left_after_the_watch(watched, model, monitoring):
    before = dict(vars(model))
    call(model, LEAST_LOOKS + 4)
    assert tool_of(monitoring) == ["jupyter_gpuperf"]
    assert vars(model) == before
    watched.stop()
    assert tool_of(monitoring) == []
    call(model, 4)
    assert steps(watched) == [("Model", "module", 3, 0)]


def test_nothing_is_left_when_the_loop_is_over(watched, model, look, monitoring):
    call(model, LEAST_LOOKS + 4)
    with much_later():
        look()
    assert tool_of(monitoring) == []
    assert watched.given.roots == watched.given.stacks == {}


def test_models_and_inputs_are_not_kept(watched, look):
    model, x = Model(look), torch.ones(2, 3)
    for _ in range(LEAST_LOOKS + 4):
        model(x)
    references = weakref.ref(x), weakref.ref(model)
    del x
    assert references[0]() is None
    del model
    gc.collect()
    assert references[1]() is None
    look()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_not_timed(watched, model, monitoring):
    call(model, LEAST_LOOKS + 4)
    child = os.fork()
    if child == 0:
        silence_in_child(watched)
        model.look = lambda: None
        call(model, 4)
        os._exit(len(tool_of(monitoring)) + len(watched.clocks))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert steps(watched) == [("Model", "module", 3, 0)]


def test_an_error_of_our_own_ends_the_watch_and_not_the_loop(watched, model):
    call(model, LEAST_LOOKS + 3)
    (clock,) = watched.clocks

    class Broken:
        due_seconds = 0.0

        def read(self, now):
            raise RuntimeError("broken")

    clock.memory_reader = Broken()
    call(model, 4)
    assert clock.error == "RuntimeError: broken"
    assert len(clock.steps) == 2


def test_tools_of_others_are_left_alone(watched, model, monitoring):
    for number in (3, 4):
        monitoring.use_tool_id(number, "another")
    try:
        call(model, LEAST_LOOKS + 4)
        assert watched.clocks == []
        assert tool_of(monitoring) == ["another"] * 2
    finally:
        for number in (3, 4):
            monitoring.free_tool_id(number)


def test_before_such_reports_nothing_is_looked_at(watching, monkeypatch):
    monkeypatch.delattr(sys, "monitoring", raising=False)
    watching.watch_everything()
    assert not watching.module_loops.can_look
    watching.look_at_loops()


class Tokens(Model):
    """A language model."""

    def __init__(self, look):
        super().__init__(look)
        self.embedding = torch.nn.Embedding(10, 3)

    def forward(self, input_ids):
        return super().forward(self.embedding(input_ids))


def prepare():
    time.sleep(0.002)


def test_a_steps_phases_and_tokens_are_known(watched, look, monkeypatch):
    monkeypatch.setattr(phase_clock, "INTERVAL_SECONDS", 0.0)
    model, ids = Tokens(look), torch.zeros(2, 8, dtype=torch.long)
    for number in range(LEAST_LOOKS + 12):
        model(input_ids=ids)
        time.sleep(0.002)
        if number == LEAST_LOOKS + 6:  # as the telemetry does
            follow_work(watched.given, torch, watched.clocks)
    (clock,) = watched.clocks
    followed = tally_of(clock, 0.0).followed
    assert followed.has_forward
    assert set(followed.phases) == {"forward", "other"}
    assert followed.phases["other"].host_seconds >= 0.002 * followed.count
    assert followed.work["tokens"].mean() == 16
    assert followed.work["samples"].mean() == 2


def test_what_stands_between_preparation_and_call_is_the_copy(watched, model, monkeypatch):
    monkeypatch.setattr(phase_clock, "INTERVAL_SECONDS", 0.0)
    watched.function_marks.choose({prepare.__code__})
    for _ in range(LEAST_LOOKS + 6):
        prepare()
        time.sleep(0.001)
        call(model)
    (clock,) = watched.clocks
    phases = tally_of(clock, 0.0).followed.phases
    assert set(phases) == {"forward", "data", "copy", "other"}
    assert phases["data"].host_seconds > phases["copy"].host_seconds > phases["other"].host_seconds


def test_the_steps_can_be_profiled(watched, model):
    ends = []

    class Observer:
        def draw(self, iterator, original):
            return original(iterator)

        def step_ended(self, owner):
            ends.append(owner)

        def cell_ended(self):
            pass

    call(model, LEAST_LOOKS + 1)
    watched.observe(Observer())
    call(model, 3)
    watched.observe(None)
    call(model, 3)
    assert ends == [model] * 3
    assert steps(watched) == [("Model", "module", 3, 3)]


class Compiled(torch.nn.Module):
    """A model that is compiled, in one of three ways."""

    def __init__(self, how, *, breaks):
        super().__init__()
        self.linear, self.breaks = torch.nn.Linear(3, 1), breaks
        if how == "in place":
            self.compile(backend="eager")
        elif how == "forward":
            self.forward = torch.compile(self.forward, backend="eager")

    def forward(self, x):
        if self.breaks:
            torch._dynamo.graph_break()
        return self.linear(x)


def call_some(model):
    with torch.no_grad():
        call(model, 10)


@needs_reports
@pytest.mark.parametrize("how", ["wrapped", "in place", "forward"])
@pytest.mark.parametrize("breaks", [False, True])
def test_a_compiled_model_is_not_compiled_again(watched, recwarn, how, breaks):
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    model = Compiled(how, breaks=breaks)
    model = torch.compile(model, backend="eager") if how == "wrapped" else model
    watched.stop()
    call_some(model)

    def compilations():
        return dict(counters["graph_break"]), dict(counters["stats"]), len(recwarn)

    before = compilations()
    watched.watch_everything()
    with looked_at(watched):
        call_until(model, lambda: any(len(each.steps) > 20 for each in watched.clocks))
    watched.stop()
    call_some(model)
    assert compilations() == before
    assert [each[1] for each in steps(watched)] == ["module"]


@needs_reports
def test_a_model_is_compiled_while_it_is_followed(watched, model):
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    call(model, LEAST_LOOKS + 4)
    model.look = lambda: None
    step = torch.compile(lambda x: model(x) + 1, backend="eager", fullgraph=True)
    for _ in range(5):
        step(torch.ones(2, 3))
    assert counters["stats"]["unique_graphs"] == 1
    assert steps(watched) == [("Model", "module", 3, 0)]


@needs_reports
def test_a_loop_is_found_by_looks_from_another_thread():
    watching, model = LoopWatch(), Model()
    watching.watch_everything()
    stop = threading.Event()

    def looks():
        while not stop.is_set():
            watching.look_at_loops()

    thread = threading.Thread(target=looks)
    thread.start()
    try:
        call_until(model, lambda: any(len(each.steps) > 50 for each in watching.clocks))
    finally:
        stop.set()
        thread.join()
        watching.stop()
    ((name, bounded_by, count, _),) = steps(watching)
    assert (name, bounded_by) == ("Model", "module")
    assert count > 50
