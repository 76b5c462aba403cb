"""The lines in which a loop's host time is spent, by looks at the stack of a loop that runs in another thread."""

from __future__ import annotations

import contextlib
import functools
import statistics
import threading
import time

import pytest
from waiting import wait_until

from jupyter_gpuperf.loops import host_lines
from jupyter_gpuperf.recordings.anonymized import anonymized_training
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.phases import HostLine, OptimizerInfo
from jupyter_gpuperf.schemas.training import NotebookTraining, TrainingNow

torch = pytest.importorskip("torch")

SLEEP_SECONDS = 0.02


class Sleeping(torch.nn.Module):
    """A module whose forward pass takes a while."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(3, 1)

    def forward(self, inputs):
        time.sleep(SLEEP_SECONDS)
        return self.inner(inputs)


def get_batch():
    time.sleep(SLEEP_SECONDS)  # the line
    return torch.ones(2, 3)


LINE = get_batch.__code__.co_firstlineno + 1


def wrapping(function):
    """Decorate a function, as libraries do: all these wrappers have the same code."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Wrapped(Sleeping):
    """The same, with a wrapper of its forward pass."""

    forward = wrapping(Sleeping.forward)


class Training(threading.Thread):
    """A loop without a loader, and what its thread does afterwards."""

    def __init__(self, prepare, model=None, afterwards=lambda: None):
        super().__init__(daemon=True)
        self.prepare, self.afterwards = prepare, afterwards
        self.model = model or torch.nn.Linear(3, 1)
        self.stopped, self.ended = threading.Event(), threading.Event()

    def run(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        wrapping(self.train)(optimizer)
        self.ended.set()
        self.afterwards()

    def train(self, optimizer):
        while not self.stopped.is_set():
            batch = self.prepare()
            self.model(batch).sum().backward()
            optimizer.step()


@contextlib.contextmanager
def running(*args, **kwargs):
    training = Training(*args, **kwargs)
    training.start()
    try:
        yield training
    finally:
        training.stopped.set()
        training.join()


@pytest.fixture
def all_watched(watching):
    watching.watch_everything()
    return watching


def looked(watching, times=12):
    """Return the lines of the only loop after so many rounds of looks."""
    wait_until(lambda: watching.clocks and watching.given.stacks)
    for _ in range(times):
        watching.look_at_loops()
        time.sleep(0.02)
    (clock,) = watching.clocks
    return clock.info.host_lines


def test_a_loops_own_preparation_is_named_with_its_line_and_share(all_watched):
    with running(get_batch):
        lines = looked(all_watched)
    first = lines[0]
    assert (first.function, first.file, first.line) == ("get_batch", "test_host_lines.py", LINE)
    assert first.ratio > 0.4
    assert sum(each.ratio for each in lines) <= 1.0


@pytest.mark.parametrize("kind", [Sleeping, Wrapped])
def test_time_in_the_forward_pass_is_no_line_of_the_loop(all_watched, kind):
    with running(lambda: torch.ones(2, 3), model=kind()):
        lines = looked(all_watched)
    assert not {"forward", "wrapper"} & {each.function for each in lines or []}
    assert sum(each.ratio for each in lines or []) < 0.5


def test_a_librarys_function_is_named_by_the_line_that_calls_it(all_watched):
    numbers = [0.5] * 20_000

    def prepare():
        return torch.full((2, 3), statistics.fmean(map(abs, numbers)) + statistics.pstdev(numbers))

    with running(prepare):
        lines = looked(all_watched)
    assert lines[0].function == "prepare"
    assert lines[0].line == prepare.__code__.co_firstlineno + 1


def test_what_the_thread_does_after_the_loop_does_not_count(all_watched):
    gate = threading.Event()
    with running(get_batch, afterwards=gate.wait) as training:
        before = looked(all_watched)
        training.stopped.set()
        training.ended.wait()
        time.sleep(0.5)
        after = looked(all_watched)
        gate.set()
    assert [each.function for each in after] == [each.function for each in before]
    assert "wait" not in [each.function for each in after]


def test_few_looks_give_no_shares_and_old_ones_do_not_count(all_watched, monkeypatch):
    with running(get_batch):
        assert looked(all_watched, times=2) is None
        assert looked(all_watched, times=6)
        monkeypatch.setattr(host_lines, "KEPT_SECONDS", 0.0)
        assert looked(all_watched, times=1) is None


def test_nothing_is_looked_at_without_a_loop_and_after_the_cell(all_watched):
    all_watched.look_at_loops()
    with running(get_batch):
        wait_until(lambda: all_watched.given.stacks)
    all_watched.pause()
    assert not all_watched.given.stacks


def test_a_recording_has_neither_lines_nor_a_users_own_optimizer(all_watched):
    line = HostLine(function="secret", file="secret.py", line=1, ratio=0.5)
    own = OptimizerInfo(class_name="SecretAdam", tensors_count=3)
    loop = _loop(host_lines=[line], optimizer=own)
    known = OptimizerInfo(class_name="AdamW", tensors_count=3, is_fused=False)
    loops = [loop, _loop(optimizer=known)]
    notebook = NotebookTraining(
        key="k", pid=1, notebook_path="secret.ipynb", connected=True, loaders=loops, cells=[]
    )
    training = TrainingNow(time_seconds=1.0, window_seconds=10.0, notebooks=[notebook])
    written = anonymized_training(encode(training))
    assert b"secret" not in written.lower()
    assert b"AdamW" in written


def _loop(**changes):
    from jupyter_gpuperf.loop_store.step_window import steps_of
    from jupyter_gpuperf.schemas.training import StepTally, WatchedLoop

    tally = StepTally(
        loader=1,
        began_seconds=0.0,
        ended_seconds=1.0,
        count=1,
        training_count=1,
        interrupted_count=0,
        samples_count=1.0,
        step_seconds=1.0,
        wait_seconds=0.0,
        event_step_seconds=0.0,
        event_idle_seconds=0.0,
        epoch_batches=1,
        bins={},
    )
    info = WatchedLoop(id=1, name="loader", **changes)
    return steps_of(info, [tally], pid=1, notebook="", busy=lambda *_: None)
