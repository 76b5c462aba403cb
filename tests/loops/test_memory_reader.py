"""What a watched loop tells of the GPU's memory, with a stand-in for torch's counters."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import IteratorClock, LoopClock
from jupyter_gpuperf.loops.growth_watch import GrowthHolder, GrowthWatch
from jupyter_gpuperf.loops.memory_reader import MemoryReader
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.schemas.training import WatchedLoop, merged

MIB = 2**20


class Device:
    """Torch's counters of a device, which a test sets."""

    def __init__(self):
        self.bytes = 100 * MIB
        self.reads = 0
        self.takes_seconds = 0.0
        self.cuda = SimpleNamespace(
            memory_stats_as_nested_dict=self._stats,
            get_device_properties=lambda index: SimpleNamespace(total_memory=1000 * MIB),
        )

    def _stats(self, index):
        self.reads += 1
        return {
            "allocated_bytes": {"all": {"current": self.bytes, "peak": 900 * MIB}},
            "reserved_bytes": {"all": {"current": self.bytes + MIB, "peak": 950 * MIB}},
        }


class Loop:
    """A loop on the test's own clock."""

    def __init__(self, device, search=None):
        self.device, self.now = device, 1.0
        self.clock = LoopClock(WatchedLoop(id=1, name="loader"), BatchCounter())
        self.clock.memory_reader = MemoryReader(device, 0)
        self.watch = GrowthWatch(self.clock, self.clock.memory_reader, lambda index: search)

    def run(self, steps, seconds=0.1, grows=0):
        """Run an epoch."""
        iterator = IteratorClock(self.clock, lambda: True)
        for _ in range(steps):
            self._request(iterator)
            iterator.batch_received(self.now, None)
            self.device.bytes += grows
            self.now += seconds
        self._request(iterator)
        iterator.end()

    def _request(self, iterator):
        iterator.batch_requested(self.now)
        if (tally := tally_of(self.clock, 0.0)) is not None:
            self.watch.add(tally)
            self.tally = tally

    @property
    def growth(self):
        return self.clock.info.memory_growth


@pytest.fixture
def device():
    return Device()


def test_the_memory_is_read_at_most_four_times_a_second(device):
    loop = Loop(device)
    loop.run(100, seconds=0.01)
    assert device.reads == 4
    loop.run(10, seconds=2.0)
    assert device.reads == 4 + 10


def test_the_reading_goes_with_the_tally_and_into_the_figures_of_the_loop(device):
    loop = Loop(device)
    loop.run(1)
    tally = loop.tally
    assert tally.allocated_bytes == 100 * MIB
    assert tally.reserved_bytes == 101 * MIB
    assert tally.peak_allocated_bytes == 900 * MIB
    loop.run(1, seconds=0.01)
    assert loop.tally.allocated_bytes is None  # not read again so soon, which is not zero
    assert merged(tally, loop.tally).allocated_bytes == 100 * MIB
    steps = steps_of(loop.clock.info, [tally, loop.tally], pid=1, notebook="", busy=lambda *_: None)
    assert steps.peak_allocated_bytes == 900 * MIB


def test_without_a_gpu_nothing_is_told():
    loop = Loop(Device())
    loop.clock.memory_reader = None
    loop.run(3)
    assert (loop.tally.allocated_bytes, loop.tally.peak_allocated_bytes) == (None, None)


@pytest.mark.parametrize("odd", [None, lambda index: {}, lambda index: 1 / 0])
def test_an_allocator_without_counters_is_asked_once_and_the_loop_is_still_timed(device, odd):
    device.cuda.memory_stats_as_nested_dict = odd
    loop = Loop(device)
    loop.run(5)
    assert loop.clock.memory_reader.due_seconds == math.inf
    assert (loop.tally.count, loop.tally.allocated_bytes) == (1, None)
    assert loop.clock.error is None


class Search:
    """A search that tells when it looks."""

    def __init__(self):
        self.looks = []

    def begin(self):
        self.looks.append("begin")

    def end(self, added_bytes):
        self.looks.append(added_bytes)
        return GrowthHolder("losses", None, holds_graphs=True)


def test_two_looks_some_steps_apart_find_the_holder_of_what_grows(device):
    search = Search()
    loop = Loop(device, search)
    loop.run(80, seconds=0.3, grows=MIB)
    assert loop.growth.holder == "losses"
    assert loop.growth.bytes_per_step == pytest.approx(MIB, rel=0.05)
    began, added = search.looks
    assert began == "begin"
    assert added >= 10 * MIB
    assert not loop.growth.outlasts_epoch
    loop.run(30, seconds=0.3, grows=MIB)
    assert loop.growth.outlasts_epoch
    assert len(search.looks) == 2


def test_growth_that_has_ended_is_no_longer_told(device):
    loop = Loop(device, Search())
    loop.run(60, seconds=0.3, grows=MIB)
    loop.run(60, seconds=0.3)
    assert loop.growth is None


def test_a_look_takes_no_time_of_a_step(device):
    class Slow(Search):
        def begin(self):
            loop.clock.memory_reader.took_seconds = 5.0
            super().begin()

    loop = Loop(device, Slow())
    loop.run(60, seconds=0.3, grows=MIB)
    assert loop.tally.step_seconds == pytest.approx(0.3, abs=0.01)
    assert loop.tally.wait_seconds == pytest.approx(0.0, abs=0.01)
