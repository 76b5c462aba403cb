"""The phases of steps: of real loops by the host's clock, and by events with a stand-in for the device."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops import phase_clock
from jupyter_gpuperf.loops.batch_counter import LoopStack
from jupyter_gpuperf.loops.followed_step import root_found
from jupyter_gpuperf.loops.phase_clock import (
    BACKWARD,
    BACKWARD_END,
    BEGIN,
    END,
    FORWARD,
    FORWARD_END,
    MOST_MARKS,
    MOST_UNREAD,
    OPTIMIZER,
    OPTIMIZER_END,
    RECEIVED,
    EventPool,
    PhaseClock,
    phase_between,
)
from jupyter_gpuperf.loops.stack_looks import look_at_loops
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.schemas.phases import PHASES, merged_phases

torch = pytest.importorskip("torch")

SLEEP_SECONDS = 0.004
BACK = (BACKWARD, BACKWARD_END)
OPTIMIZED = (OPTIMIZER, OPTIMIZER_END)


@pytest.fixture
def followed(watching, monkeypatch):
    """Follow every step."""
    monkeypatch.setattr(phase_clock, "INTERVAL_SECONDS", 0.0)
    watching.watch_everything()
    return watching


class Slow(torch.nn.Module):
    """A module whose forward and backward passes take a known time."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(3, 1)

    def forward(self, inputs):
        time.sleep(SLEEP_SECONDS)
        outputs = self.inner(inputs)
        if outputs.requires_grad:
            outputs.register_hook(lambda _: time.sleep(2 * SLEEP_SECONDS))
        return outputs


class SlowSgd(torch.optim.SGD):
    def step(self, closure=None):
        time.sleep(3 * SLEEP_SECONDS)
        return super().step(closure)


class SlowItems(torch.utils.data.Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        time.sleep(SLEEP_SECONDS)
        return torch.ones(3)


def know_root(watching, model):
    root_found(watching.given, threading.get_ident(), model)


def phases_of(watching):
    """Return {phase: host seconds per step} of the only loop, and its steps."""
    (clock,) = watching.clocks
    assert clock.error is None
    steps = list(clock.phases.steps)
    tally = tally_of(clock, 0.0)
    shown = steps_of(clock.info, [tally], pid=1, notebook="", busy=lambda *_: None)
    return {name: each.host_seconds for name, each in shown.phases.items()}, steps


@pytest.mark.parametrize(
    ("kinds", "phases"),
    [
        (
            [BEGIN, RECEIVED, FORWARD, FORWARD_END, BACKWARD, BACKWARD_END, *OPTIMIZED, END],
            "data copy forward forward backward other optimizer other",
        ),
        # The module is not known.
        (
            [BEGIN, RECEIVED, BACKWARD, BACKWARD_END, *OPTIMIZED, END],
            "data forward backward other optimizer other",
        ),
        # Without a loader.
        (
            [BEGIN, FORWARD, FORWARD_END, BACKWARD, BACKWARD_END, *OPTIMIZED, END],
            "other forward forward backward other optimizer other",
        ),
        # Two backward passes, of which only the second forward pass is marked; no optimizer in this step.
        (
            [BEGIN, RECEIVED, *BACK, FORWARD, FORWARD_END, *BACK, END],
            "data forward backward other forward forward backward other",
        ),
        # step(closure)
        (
            [BEGIN, OPTIMIZER, FORWARD, FORWARD_END, BACKWARD, BACKWARD_END, OPTIMIZER_END, END],
            "other other forward forward backward optimizer other",
        ),
        # The same, and the module is not known.
        (
            [BEGIN, OPTIMIZER, BACKWARD, BACKWARD_END, OPTIMIZER_END, END],
            "other forward backward optimizer other",
        ),
        # An evaluation without gradients.
        ([BEGIN, RECEIVED, FORWARD, FORWARD_END, END], "data copy forward other"),
    ],
)
def test_what_lies_between_two_marks(kinds, phases):
    assert " ".join(phase_between(*each) for each in pairwise(kinds)) == phases


class Timer:
    """The test's own clock around each part of the loop: whatever delays a part is seen by both clocks."""

    def __init__(self):
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def time(self, phase, call):
        began = time.perf_counter()
        result = call()
        self.seconds[phase] += time.perf_counter() - began
        return result

    def agrees_with(self, phases, steps):
        """Return whether each known phase is as long as here; between two clocks, little time passes."""
        allowed = 0.05 * sum(self.seconds.values()) / steps
        return all(
            each is None or abs(each - self.seconds[name] / steps) <= allowed
            for name, each in phases.items()
        )


def test_the_phases_of_a_loop_with_a_loader(followed):
    model, timer = Slow(), Timer()
    optimizer = SlowSgd(model.parameters(), lr=0.1)
    know_root(followed, model)
    batches = iter(torch.utils.data.DataLoader(SlowItems()))
    for _ in range(12):
        batch = timer.time("data", lambda: next(batches))
        timer.time("copy", lambda: time.sleep(SLEEP_SECONDS))
        loss = timer.time("forward", lambda: model(batch).sum())  # noqa: B023
        timer.time("backward", loss.backward)
        timer.time("optimizer", optimizer.step)
        timer.time("other", lambda: time.sleep(SLEEP_SECONDS))  # a log
    with pytest.raises(StopIteration):
        next(batches)  # ends the last step
    seconds, steps = phases_of(followed)
    assert len(steps) == 12
    assert list(seconds) == list(PHASES)
    assert timer.agrees_with(seconds, 12), (seconds, timer.seconds)
    for step in steps:
        assert sum(each.host_seconds for each in step.spans) == pytest.approx(step.seconds)
        assert all(each.gpu_seconds is None for each in step.spans)


def test_the_phases_of_a_loop_without_a_loader(followed):
    model, timer = Slow(), Timer()
    optimizer = SlowSgd(model.parameters(), lr=0.1)
    for number in range(12):
        if number == 2:  # the first two steps of the optimizer are its loop's begin
            timer = Timer()
        # What precedes the forward pass can't be told from it.
        loss = timer.time("forward", lambda: model(torch.ones(1, 3)).sum())
        timer.time("backward", loss.backward)
        timer.time("optimizer", optimizer.step)
    seconds, steps = phases_of(followed)
    assert len(steps) == 10
    assert (seconds["data"], seconds["copy"]) == (None, None)  # unknown, not zero
    assert timer.agrees_with(seconds, 10), (seconds, timer.seconds)


def test_a_loader_that_is_watched_by_name_has_no_phases(watching):
    loader = watching.watch(loader_of())  # nothing tells where its backward passes are
    for (batch,) in loader:
        torch.nn.Linear(3, 1)(batch).sum().backward()
    (clock,) = watching.clocks
    assert len(clock.steps) == 6
    assert not clock.phases.steps
    assert not watching.given.stacks


def test_until_the_module_is_known_copy_and_forward_are_one_phase(followed):
    model = Slow()
    for number, batch in enumerate(torch.utils.data.DataLoader(SlowItems())):
        if number == 6:
            seconds, _ = phases_of(followed)
            assert seconds["copy"] is None
            assert seconds["forward"] >= 2 * SLEEP_SECONDS
            know_root(followed, model)
        time.sleep(SLEEP_SECONDS)
        model(batch).sum().backward()
    seconds, _ = phases_of(followed)
    assert seconds["copy"] >= SLEEP_SECONDS


def test_steps_are_followed_some_ten_times_a_second(watching):
    watching.watch_everything()
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    (clock,) = watching.clocks
    assert 1 <= len(clock.phases.steps) <= 23  # intervals of 50 ms at least


def test_a_pass_within_a_backward_pass_belongs_to_it(followed):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = torch.ones(2, 3, requires_grad=True)
    for _ in range(6):
        outputs = torch.utils.checkpoint.checkpoint(model, inputs, use_reentrant=True)
        outputs.sum().backward()  # in which the checkpoint runs another one
        optimizer.step()
    _, steps = phases_of(followed)
    for step in steps:
        assert sum(span.phase == "backward" for span in step.spans) == 1


def test_an_error_in_the_backward_pass_is_the_users_and_ends_the_phase(followed):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def fail(_):
        raise ZeroDivisionError

    for number in range(6):
        outputs = model(torch.ones(2, 3))
        if number % 2:
            outputs.register_hook(fail)
            with pytest.raises(ZeroDivisionError):
                outputs.sum().backward()
        else:
            outputs.sum().backward()
        optimizer.step()
    _, steps = phases_of(followed)
    assert len(steps) == 4
    assert all("backward" in [span.phase for span in step.spans] for step in steps)


def test_stopping_restores_the_backward_function_unless_another_patch_wraps_it(
    watching, monkeypatch
):
    plain = torch.autograd.backward
    watching.watch_everything()
    ours = torch.autograd.backward
    assert ours is not plain
    watching.stop()
    assert torch.autograd.backward is plain
    watching.watch_everything()
    theirs = lambda *args, **kwargs: ours(*args, **kwargs)
    monkeypatch.setattr(torch.autograd, "backward", theirs)
    watching.stop()
    assert torch.autograd.backward is theirs
    tensor = torch.ones(1, requires_grad=True)
    tensor.sum().backward()
    assert tensor.grad.item() == 1.0


# --- the root module


def loader_of(count=6):
    data = torch.utils.data.TensorDataset(torch.ones(count, 3))
    return torch.utils.data.DataLoader(data, batch_size=1)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_the_hooks_are_there_only_while_a_forward_pass_is_awaited(followed):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    know_root(followed, model)
    hooks = lambda: (len(model._forward_pre_hooks), len(model._forward_hooks))
    for number, (batch,) in enumerate(loader_of()):
        assert hooks() == (1, 1)
        loss = model(batch).sum()
        assert hooks() == (0, 0)
        loss.backward()
        optimizer.step()
        assert hooks() == (0, 0)
        if number == 4:
            break  # as loops do that have had enough steps
    torch.jit.script(model)
    assert hooks() == (0, 0)
    next(iter(loader_of()))  # a step without a forward pass
    assert hooks() == (1, 1)
    followed.stop()
    assert hooks() == (0, 0)


def test_a_loop_without_a_loader_leaves_no_hooks(followed):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    know_root(followed, model)
    for _ in range(4):
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    assert followed.given.marks  # the loop's next step, which never comes
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_users_hooks_still_run_and_theirs_come_as_before(followed):
    model, seen = torch.nn.Linear(3, 1), []
    model.register_forward_pre_hook(lambda *_: seen.append("before"))
    model.register_forward_hook(lambda *_: seen.append("after"))
    know_root(followed, model)
    for (batch,) in loader_of(4):
        model(batch).sum().backward()
    assert seen == ["before", "after"] * 4
    _, steps = phases_of(followed)
    assert all(each.has_forward for each in steps)


def test_copies_of_a_model_within_a_step_have_hooks_that_do_nothing_without_this_package(
    followed, tmp_path
):
    model = torch.nn.Linear(3, 1)
    know_root(followed, model)
    batches = iter(loader_of())
    next(batches)
    assert model._forward_hooks
    twin = copy.deepcopy(model)
    (current,) = followed.given.marks.values()
    marks = list(current.kinds)
    assert twin(torch.ones(2, 3)).shape == (2, 1)
    assert current.kinds == marks  # the twin's forward pass is not the loop's
    file = tmp_path / "model.pt"
    torch.save(model, file)
    program = (
        "import sys, torch; sys.modules['jupyter_gpuperf'] = None; "
        f"model = torch.load({str(file)!r}, weights_only=False); "
        "print(model(torch.ones(2, 3)).shape, len(model._forward_hooks))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout == "torch.Size([2, 1]) 1\n", run.stderr
    torch.save(model.state_dict(), io.BytesIO())


def test_hooks_that_are_compiled_with_a_model_break_no_graph(followed):
    model = torch.nn.Linear(3, 1)
    know_root(followed, model)
    next(iter(loader_of()))
    assert model._forward_hooks
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert compiled(torch.ones(2, 3)).shape == (2, 1)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_module_that_can_have_no_hooks_is_no_obstacle(followed):
    scripted = torch.jit.script(torch.nn.Linear(3, 1))
    know_root(followed, scripted)
    for (batch,) in loader_of():
        scripted(batch).sum().backward()
    know_root(followed, NoModule())
    for (batch,) in loader_of():
        scripted(batch).sum().backward()
    assert all(each.error is None for each in followed.clocks)


class NoModule:
    """No module at all."""


class Loop(threading.Thread):
    """A loop in another thread that calls a module until it is to stop."""

    def __init__(self, call):
        super().__init__()
        self._call, self._stopped = call, threading.Event()

    def run(self):
        while not self._stopped.is_set():
            self._call()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self.join()


def found_root(watching, call):
    """Return the module that is found while ``call`` is called again and again in another thread."""
    with Loop(call) as loop:
        phases = PhaseClock()
        phases.last_seconds = 60.0
        watching.pause()
        watching.given.roots[loop.ident] = None
        watching.given.stacks[loop.ident] = LoopStack(phases, [], time.perf_counter())
        for _ in range(20):
            look_at_loops(watching.given, torch)
        root = watching.given.roots.get(loop.ident)
    return None if root is None else root.module()


def test_the_outermost_module_of_a_loop_is_found(watching):
    model = torch.nn.Sequential(Slow(), torch.nn.Identity())
    assert found_root(watching, lambda: model(torch.ones(2, 3))) is model


def test_a_loss_or_an_augmentation_is_not_the_loops_model(watching):
    loss = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    assert found_root(watching, lambda: loss(torch.ones(300, 300))) is None


def test_no_module_is_found_where_none_is_called(watching):
    assert found_root(watching, lambda: time.sleep(0.001)) is None


def test_a_compiled_module_is_found_and_modules_within_compiled_code_are_not(watching):
    def large():
        return torch.nn.Sequential(*(torch.nn.Linear(600, 600) for _ in range(3)))

    inputs = torch.ones(600, 600)
    compiled = torch.compile(large(), backend="eager")
    assert found_root(watching, lambda: compiled(inputs)) is compiled
    inner = large()
    step = torch.compile(lambda: inner(inputs), backend="eager")
    assert found_root(watching, step) is None
    in_place = large()
    in_place.compile(backend="eager")
    assert found_root(watching, lambda: in_place(inputs)) is None


def test_marking_a_compiled_module_compiles_nothing_again(followed):
    from torch._dynamo.utils import counters

    model = torch.compile(torch.nn.Linear(3, 1), backend="eager")

    def train(steps):
        for (batch,) in loader_of(steps):
            model(batch).sum().backward()

    torch._dynamo.reset()
    train(4)
    before = counters["stats"]["unique_graphs"], dict(counters["graph_break"])
    know_root(followed, model)
    train(6)
    assert (counters["stats"]["unique_graphs"], dict(counters["graph_break"])) == before
    assert any(step.has_forward for clock in followed.clocks for step in clock.phases.steps)


@pytest.mark.filterwarnings("ignore")  # torch's own, such as of a tensor's .grad
@pytest.mark.parametrize("with_optimizer", [False, True])
def test_a_compiled_step_is_compiled_as_without_the_watch(followed, with_optimizer):
    from torch._dynamo.utils import counters

    def compiled():
        """Return what Dynamo counts in a few steps, which break their graph at the backward pass."""
        torch._dynamo.reset()
        counters.clear()
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        @torch.compile(backend="eager")
        def step(batch):
            loss = model(batch).sum()
            loss.backward()
            if with_optimizer:
                optimizer.step()
            return loss

        for (batch,) in loader_of():
            step(batch)
        return {name: dict(counters[name]) for name in ("stats", "graph_break")}, counters["frames"]

    followed.stop()
    compiled()  # some of torch's own functions are compiled once
    plain, plain_frames = compiled()
    plain_frames = plain_frames["total"]
    followed.watch_everything()
    watched, frames = compiled()
    assert watched == plain
    assert frames["total"] <= plain_frames


def test_module_and_marks_are_forgotten_with_the_cell(followed):
    model = torch.nn.Linear(3, 1)
    know_root(followed, model)
    next(iter(loader_of()))
    assert followed.given.marks
    assert model._forward_hooks
    followed.pause()
    assert followed.given.roots == followed.given.marks == followed.given.stacks == {}
    assert not model._forward_hooks


def test_a_module_that_is_gone_is_no_obstacle(followed):
    model = torch.nn.Linear(3, 1)
    know_root(followed, model)
    other = torch.nn.Linear(3, 1)
    del model
    for (batch,) in loader_of():
        other(batch).sum().backward()
    _, steps = phases_of(followed)
    assert not any(each.has_forward for each in steps)


# --- events


class Device:
    """A device that reaches an event when the work before it is done."""

    def __init__(self):
        self.host = self.free_at = 0.0
        self.capturing = False
        self.made = 0
        self.torch = SimpleNamespace(
            cuda=SimpleNamespace(Event=self._event, current_stream=lambda index: "stream"),
            _C=SimpleNamespace(
                _cuda_getCurrentRawStream=lambda index: 1,
                _cuda_isCurrentStreamCapturing=lambda: self.capturing,
            ),
        )

    def _event(self, enable_timing):
        self.made += 1
        return Event(self)

    def run(self, seconds, work=0.0):
        self.host += seconds
        self.free_at = max(self.free_at, self.host) + work


class Event:
    def __init__(self, device):
        self._device, self.reached = device, None

    def record(self, stream):
        self.reached = max(self._device.free_at, self._device.host)

    def query(self):
        assert not self._device.capturing, "this would end the capture"
        return self._device.host >= self.reached

    def elapsed_time(self, other):
        return 1000 * (other.reached - self.reached)


STEP = (
    (RECEIVED, 3.0, 0.0),
    (FORWARD, 1.0, 0.5),
    (FORWARD_END, 1.0, 4.0),
    (BACKWARD, 0.5, 0.5),
    (BACKWARD_END, 1.0, 8.0),
    (OPTIMIZER, 0.5, 0.0),
    (OPTIMIZER_END, 0.5, 1.0),
)
"""What a step is marked with, and the host's time and the work that it queues before each mark."""


def run_step(clock, device, steps=STEP):
    marks = clock.begin(device.host)
    for kind, seconds, work in steps:
        device.run(seconds, work)
        if marks is not None:
            marks.add(kind, device.host)
    if marks is not None:
        clock.end(marks, device.host, interrupted=False)
    return marks


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def clock(device):
    clock = PhaseClock()
    clock.pool = EventPool(device.torch, 0)
    return clock


def test_each_phase_has_its_span_on_the_device(clock, device):
    run_step(clock, device)
    assert not clock.steps  # the device has not passed it
    device.run(100.0)
    clock.begin(device.host)
    (step,) = clock.steps
    spans = {each.phase: each for each in step.spans if each.gpu_seconds}
    assert spans["data"].gpu_seconds == pytest.approx(3.0)  # idle: nothing was queued
    assert spans["backward"].gpu_seconds == pytest.approx(8.0)
    assert spans["optimizer"].gpu_seconds == pytest.approx(1.0)
    gpu_seconds = sum(each.gpu_seconds for each in step.spans)
    assert gpu_seconds == pytest.approx(3.0 + 1.0 + 0.5 + 4.0 + 0.5 + 8.0 + 1.0, abs=1.0)


def test_a_busy_device_is_not_idle_for_data(clock, device):
    device.run(0.0, work=50.0)
    run_step(clock, device)
    device.run(100.0)
    clock.begin(device.host)
    assert clock.steps[0].spans[0].gpu_seconds == pytest.approx(0.0)


def test_events_are_used_again_and_a_device_that_is_far_behind_gets_no_more(clock, device):
    device.run(0.0, work=1e6)
    followed = [run_step(clock, device) for _ in range(3 * MOST_UNREAD)]
    assert sum(each is not None for each in followed) == MOST_UNREAD
    made = device.made
    device.run(2e6)
    for _ in range(20):
        run_step(clock, device)
        device.run(100.0)
    assert device.made == made


def test_a_step_that_captures_a_graph_is_dropped(clock, device):
    marks = clock.begin(device.host)
    device.capturing = True
    marks.add(BACKWARD, device.host)
    device.capturing = False
    clock.end(marks, device.host, interrupted=False)
    device.run(100.0)
    clock.begin(device.host)
    assert not clock.steps


def test_no_event_is_read_while_a_graph_is_captured(clock, device):
    run_step(clock, device)
    device.run(100.0)
    device.capturing = True
    assert clock.begin(device.host) is None
    device.capturing = False
    assert clock.begin(device.host) is not None
    assert len(clock.steps) == 1


def test_a_step_with_very_many_marks_is_dropped_with_bounded_memory(clock, device):
    marks = clock.begin(device.host)
    for _ in range(10 * MOST_MARKS):
        marks.add(BACKWARD, device.host)
    clock.end(marks, device.host, interrupted=False)
    device.run(100.0)
    clock.begin(device.host)
    assert not clock.steps
    assert device.made <= MOST_MARKS + 1


def test_interrupted_steps_are_dropped(clock, device):
    marks = clock.begin(device.host)
    clock.end(marks, device.host, interrupted=True)
    device.run(100.0)
    clock.begin(device.host)
    assert not clock.steps


def test_sums_over_time_are_of_the_steps_with_a_known_forward_pass(followed):
    model = Slow()
    loader = torch.utils.data.DataLoader(SlowItems())
    tallies = []
    for known in (False, True, False):
        if known:
            know_root(followed, model)
        for batch in loader:
            model(batch).sum().backward()
        followed.given.roots.clear()
        (clock,) = followed.clocks
        tallies.append(tally_of(clock, 0.0).followed)
    assert [each.has_forward for each in tallies] == [False, True, False]
    whole = merged_phases(merged_phases(tallies[0], tallies[1]), tallies[2])
    assert whole == tallies[1]
    assert merged_phases(None, tallies[0]) == merged_phases(tallies[0], None) == tallies[0]
    twice = merged_phases(tallies[1], tallies[1])
    assert twice.count == 2 * tallies[1].count
    assert set(twice.phases) <= set(PHASES)
    assert twice.phases["forward"].host_seconds == pytest.approx(
        2 * tallies[1].phases["forward"].host_seconds
    )
    assert twice.phases["forward"].gpu_seconds is None


# --- the optimizer


def optimizer_seen(watching, step_count=3, **options):
    """Return what is told of the optimizer of a loop without a loader."""
    model, kind = torch.nn.Linear(3, 1), options.pop("kind", torch.optim.AdamW)
    optimizer = kind(model.parameters(), lr=0.1, **options)
    for _ in range(step_count):
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    watching.look_at_loops()
    (clock,) = watching.clocks
    assert clock.error is None
    return clock.info.optimizer


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("AdamW", False, True)),
        ({"foreach": False}, ("AdamW", False, False)),
        ({"fused": True}, ("AdamW", True, True)),
        ({"kind": torch.optim.RMSprop}, ("RMSprop", None, True)),
        ({"kind": SlowSgd}, ("SlowSgd", None, True)),  # a class of the user's own
    ],
)
def test_the_optimizer_of_a_loop_is_described(followed, options, expected):
    info = optimizer_seen(followed, **options)
    assert (info.class_name, info.is_fused, info.is_foreach) == expected
    assert info.tensors_count == 2


def test_the_optimizer_within_a_loaders_steps_is_described_and_a_new_one_anew(followed):
    model, seen = torch.nn.Linear(3, 1), []
    for options in ({"foreach": False}, {"fused": True}):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **options)
        for (batch,) in loader_of():
            model(batch).sum().backward()
            optimizer.step()
        followed.look_at_loops()
        seen += [clock.info.optimizer for clock in followed.clocks]
        del optimizer
    assert [(each.class_name, each.is_fused) for each in seen] == [("SGD", False), ("SGD", True)]


def test_of_two_optimizers_a_fused_one_counts(followed):
    """What the other one costs can't be told from it."""
    model = torch.nn.Linear(3, 1)
    both = [torch.optim.SGD(model.parameters(), lr=0.1, fused=fused) for fused in (True, False)]
    for (batch,) in loader_of():
        model(batch).sum().backward()
        for each in both:
            each.step()
    followed.look_at_loops()
    (clock,) = followed.clocks
    assert (clock.info.optimizer.is_fused, clock.info.optimizer.tensors_count) == (True, 4)


def test_an_optimizer_whose_gradients_are_sparse_can_not_be_fused(followed):
    model = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        model(torch.tensor([1])).sum().backward()
        optimizer.step()
    followed.look_at_loops()
    (clock,) = followed.clocks
    assert clock.info.optimizer.is_fused is None
