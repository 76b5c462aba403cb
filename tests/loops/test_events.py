"""The pairs of CUDA events, with a stand-in for the device: who is reached when."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import IteratorClock, LoopClock
from jupyter_gpuperf.loops.idle_timer import MOST_PAIRS, IdleTimer, device_in_use
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.schemas.training import WatchedLoop


class Device:
    """A device that passes an event when it has done the work queued before it, by a clock of its own."""

    def __init__(self):
        self.host = 0.0
        self.free_at = 0.0
        self.asked_for_stream = 0
        self.raw = 1
        self.torch = SimpleNamespace(
            cuda=SimpleNamespace(
                Event=lambda enable_timing: Event(self),
                current_stream=self._stream,
                is_initialized=lambda: True,
                device_count=lambda: 2,
                memory_allocated=lambda index: (0, 4096)[index],
                get_device_properties=lambda index: SimpleNamespace(uuid=f"aaaa-{index}"),
            ),
            _C=SimpleNamespace(_cuda_getCurrentRawStream=lambda index: self.raw),
        )

    def _stream(self, index):
        self.asked_for_stream += 1
        return SimpleNamespace(index=index)

    def queue(self, seconds):
        self.free_at = max(self.free_at, self.host) + seconds


class Event:
    def __init__(self, device):
        self._device = device
        self.reached = None

    def record(self, stream):
        self.reached = max(self._device.free_at, self._device.host)

    def query(self):
        return self._device.host >= self.reached

    def elapsed_time(self, other):
        return 1000 * (other.reached - self.reached)


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def loop(device):
    """Return a loop with so long a wait and so much work queued in each step, in seconds."""
    clock = LoopClock(WatchedLoop(id=1, name="x", batch_size=1), BatchCounter())
    clock.idle_timer = IdleTimer(device.torch, 1)

    def loop(steps, *, wait, work, host=0.0):
        iterator = IteratorClock(clock, lambda: True)
        for _ in range(steps):
            iterator.batch_requested(device.host + 1)  # never zero: that is "none"
            device.host += wait
            iterator.batch_received(device.host + 1, None)
            device.queue(work)
            device.host += host
        iterator.batch_requested(device.host + 1)
        iterator.end()
        device.host += 100.0
        for _ in range(MOST_PAIRS):  # each reads some of what the device has passed
            clock.idle_timer.drop(clock.idle_timer.batch_requested())
        return tally_of(clock, 0.0)

    return loop


def idle_share(tally):
    return tally.event_idle_seconds / tally.event_step_seconds


def test_a_device_that_runs_dry_is_idle_for_data_as_long_as_the_batch_is_late(loop):
    # It works 1 s of the 4 s that a batch takes: 3 s of each step it stands.
    assert idle_share(loop(20, wait=4.0, work=1.0)) == pytest.approx(0.75, abs=0.02)


def test_a_device_with_work_queued_is_not_idle_however_long_the_host_waits(loop):
    tally = loop(20, wait=1.0, work=1.5)
    assert tally.wait_seconds / tally.step_seconds == pytest.approx(1.0)
    assert idle_share(tally) < 0.06  # the first step alone


def test_idle_time_that_the_host_caused_is_not_taken_for_data(loop):
    assert idle_share(loop(20, wait=0.1, work=0.2, host=3.0)) < 0.05


def test_few_events_are_made_and_used_again(loop, device):
    loop(5 * MOST_PAIRS, wait=0.1, work=0.05)
    made = []
    device.torch.cuda.Event = lambda enable_timing: made.append(1) or Event(device)
    loop(5 * MOST_PAIRS, wait=0.1, work=0.05)
    assert made == []


def test_a_host_far_ahead_of_the_device_leaves_steps_without_events(loop):
    tally = loop(3 * MOST_PAIRS, wait=0.001, work=5.0)
    assert tally.count == 3 * MOST_PAIRS
    assert 0 < tally.event_step_seconds < tally.step_seconds


def test_the_stream_is_asked_for_when_it_changed(device):
    idle_timer = IdleTimer(device.torch, 0)
    for raw in (1, 1, 2, 2, 1):
        device.raw = raw
        idle_timer.drop(idle_timer.batch_requested())
    assert device.asked_for_stream == 3


def test_the_device_that_holds_most_is_the_one_in_use(device):
    assert device_in_use(device.torch) == 1
    assert uuid_of(device.torch, 1) == "GPU-aaaa-1"
    device.torch.cuda.is_initialized = lambda: False
    assert device_in_use(device.torch) is None
    assert device_in_use(SimpleNamespace()) is None
