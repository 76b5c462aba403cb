"""The function that prepares batches: found by looks at the stack, its calls are marked in steps that are followed."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

import pytest
from waiting import wait_until

from jupyter_gpuperf.loops import phase_clock
from jupyter_gpuperf.loops.tallies import tally_of

torch = pytest.importorskip("torch")

SLEEP_SECONDS = 0.01
LEAST_RATIO = 0.6
ROUNDS = 12


@pytest.fixture
def followed(watching, monkeypatch):
    monkeypatch.setattr(phase_clock, "INTERVAL_SECONDS", 0.0)
    watching.watch_everything()
    return watching


class Training(threading.Thread):
    """A loop without a loader, in a thread of its own."""

    def __init__(self, monitoring):
        super().__init__(daemon=True)
        self.ending, self.monitoring = threading.Event(), monitoring
        self.model = torch.nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def run(self):
        if hasattr(self.monitoring, "profile"):
            sys.setprofile(self.monitoring.profile)
        self.train()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()


def get_batch():
    time.sleep(SLEEP_SECONDS)
    return torch.ones(2, 3)


class AsNanoGpt(Training):
    """The next batch is prepared between the forward and the backward pass."""

    def train(self):
        batch = get_batch()
        while not self.ending.is_set():
            loss = self.model(batch).sum()
            batch = get_batch()
            loss.backward()
            self.optimizer.step()


class Drawing(Training):
    """Batches come from a generator."""

    def batches(self):
        while not self.ending.is_set():
            time.sleep(SLEEP_SECONDS)
            yield torch.ones(2, 3)

    def train(self):
        for batch in self.batches():
            self.model(batch).sum().backward()
            self.optimizer.step()


class Failing(Training):
    """The function that prepares batches fails in every second step."""

    count = 0

    def prepare(self):
        time.sleep(SLEEP_SECONDS)
        self.count += 1
        if self.count % 2:
            raise ValueError(self.count)

    def train(self):
        while not self.ending.is_set():
            with contextlib.suppress(ValueError):
                self.prepare()
            self.model(torch.ones(2, 3)).sum().backward()
            self.optimizer.step()


def steps_after_looks(watching):
    """Return the host lines, and the steps that are followed after the function was found."""
    wait_until(lambda: watching.given.stacks)
    for _ in range(ROUNDS):
        watching.look_at_loops()
    (clock,) = watching.clocks
    clock.phases.steps.clear()
    time.sleep(20 * SLEEP_SECONDS)
    return clock, clock.info.host_lines, list(clock.phases.steps)


def phase_seconds(steps, phase):
    return sum(span.host_seconds for step in steps for span in step.spans if span.phase == phase)


@pytest.mark.parametrize(
    ("loop", "name"), [(AsNanoGpt, "get_batch"), (Drawing, "batches")], ids=lambda each: str(each)
)
def test_the_time_in_the_function_is_the_phase_data(followed, monitoring, loop, name):
    with loop(monitoring):
        clock, lines, steps = steps_after_looks(followed)
    assert (lines[0].function, lines[0].is_bounded) == (name, True)
    assert len(steps) > 3
    whole = sum(step.seconds for step in steps)
    assert phase_seconds(steps, "data") >= LEAST_RATIO * whole
    assert phase_seconds(steps, "data") >= 0.99 * len(steps) * SLEEP_SECONDS
    assert sum(span.host_seconds for step in steps for span in step.spans) == pytest.approx(whole)
    assert tally_of(clock, 0.0).followed.phases["data"].host_seconds > 0


def test_a_call_that_raises_ends_with_the_next_boundary(followed, monitoring):
    with Failing(monitoring):
        clock, lines, steps = steps_after_looks(followed)
    assert clock.error is None
    assert lines[0].function == "prepare"
    assert phase_seconds(steps, "data") >= LEAST_RATIO * sum(step.seconds for step in steps)


def test_the_same_function_in_another_thread_is_no_part_of_the_step(followed, monitoring):
    with AsNanoGpt(monitoring), Elsewhere(monitoring):
        _, _, steps = steps_after_looks(followed)
    for step in steps:
        assert sum(span.phase == "data" for span in step.spans) <= 1


class Logging(Training):
    """Batches come from a loader; a function of the loop's own runs after the optimizer."""

    def log(self):
        time.sleep(SLEEP_SECONDS)

    def train(self):
        items = torch.utils.data.TensorDataset(torch.ones(1000, 3))
        for (batch,) in torch.utils.data.DataLoader(items, batch_size=2):
            self.model(batch).sum().backward()
            self.optimizer.step()
            self.log()
            if self.ending.is_set():
                break


def test_a_function_after_the_passes_of_a_loaders_step_prepares_no_batch(followed, monitoring):
    with Logging(monitoring):
        _, lines, steps = steps_after_looks(followed)
    assert (lines[0].function, lines[0].is_bounded) == ("log", True)
    whole = sum(step.seconds for step in steps)
    assert phase_seconds(steps, "other") >= LEAST_RATIO * whole
    assert phase_seconds(steps, "data") < (1 - LEAST_RATIO) * whole


class Elsewhere(Training):
    """Another thread prepares batches, and trains nothing."""

    def train(self):
        while not self.ending.is_set():
            get_batch()


def test_nothing_is_marked_after_the_watch(followed, monitoring):
    with AsNanoGpt(monitoring):
        steps_after_looks(followed)
        assert len(followed.function_marks.codes) == 1
        followed.stop()
        assert not followed.function_marks.codes
    assert "jupyter_gpuperf" not in [monitoring.get_tool(number) for number in range(6)]


def test_tools_of_others_are_left_alone(followed, monitoring):
    for number in (3, 4):
        monitoring.use_tool_id(number, "another")
    try:
        with AsNanoGpt(monitoring):
            _, lines, steps = steps_after_looks(followed)
        assert not lines[0].is_bounded
        assert phase_seconds(steps, "data") == 0
        assert monitoring.get_tool(4) == "another"
    finally:
        for number in (3, 4):
            monitoring.free_tool_id(number)


def test_without_such_reports_the_line_is_known_and_not_bounded(followed, monkeypatch):
    monkeypatch.delattr(sys, "monitoring", raising=False)
    with AsNanoGpt(None):
        _, lines, steps = steps_after_looks(followed)
    assert (lines[0].function, lines[0].is_bounded) == ("get_batch", False)
    assert phase_seconds(steps, "data") == 0
