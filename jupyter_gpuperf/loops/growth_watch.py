"""Notice that a loop's memory grows step by step, and have it searched for the variable that holds what was added.

The notebook's objects are searched at the ends of two steps, in the loop's thread: at other times, the tensors of a
running step would be found, too. Everything else happens in the thread of the telemetry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec

from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.memory_reader import MemoryReader, MemoryReading
from jupyter_gpuperf.measure.growth import Growth, GrowthTrack, Point
from jupyter_gpuperf.schemas.training import MemoryGrowth, StepTally

LEAST_RATIO: Final = 0.001
"""Of the device's memory; less growth is of no interest."""
SEARCHED_STEPS: Final = 10
"""Number of steps between the two looks: what was added in them differs from what a single step uses."""
MOST_SEARCHES: Final = 2
"""Maximum number of pairs of looks for one loader."""


class GrowthHolder(NamedTuple):
    """The variable that holds what was added; see :class:`MemoryGrowth`."""

    name: str
    function: str | None
    holds_graphs: bool


class GrowthSearch(Protocol):
    """Searches for what was added to a device's memory between two calls, which never raise."""

    def begin(self) -> None:
        """Remember what is there."""

    def end(self, added_bytes: float) -> GrowthHolder | None:
        """Return what holds the ``added_bytes`` that were not there before; ``None`` if it is not found."""


class GrowthWatch:
    """Watches the memory of one loader's loop.

    Parameters
    ----------
    reader
        Reads the memory in the loop.
    new_search
        Takes the index of a device, and returns a new search on it.
    """

    def __init__(
        self, clock: LoopClock, reader: MemoryReader, new_search: Callable[[int], GrowthSearch]
    ) -> None:
        self.reader = reader
        self._clock, self._new_search = clock, new_search
        self._least = LEAST_RATIO * reader.device_bytes
        self._track = GrowthTrack()
        self._steps = self._epoch = self._epoch_batches = self._searches = 0
        self._search: GrowthSearch | None = None
        self._began_bytes: float | None = None
        self._holder: GrowthHolder | None = None

    def add(self, tally: StepTally) -> None:
        """Take the reading of a tally, and update the growth in the description of the clock's loader."""
        steps = tally.count + tally.interrupted_count
        self._steps += steps
        self._epoch += tally.epoch_batches < max(self._epoch_batches, steps)
        self._epoch_batches = tally.epoch_batches
        if tally.allocated_bytes is None:
            return
        point = Point(self._steps, tally.ended_seconds, tally.allocated_bytes, self._epoch)
        self._track.add(point)
        growth = self._track.growth(self._least)
        if growth is None:
            self._search = self._holder = self._began_bytes = None
        else:
            self._continue_search(growth, tally.allocated_bytes)
        self._clock.info = msgspec.structs.replace(
            self._clock.info, memory_growth=growth and self._described(growth)
        )

    def _continue_search(self, growth: Growth, allocated_bytes: float) -> None:
        if self._search is None and self._searches < MOST_SEARCHES:
            self._searches += 1
            self._search = self._new_search(self.reader.device)
            self.reader.at_next_reading = self._begin
        elif self._search is not None and self._began_bytes is not None:
            added = allocated_bytes - self._began_bytes
            if added >= max(SEARCHED_STEPS * growth.per_step, growth.largest_fall):
                self.reader.at_next_reading = self._end

    def _begin(self, reading: MemoryReading) -> None:
        if self._search is not None:
            self._search.begin()
            self._began_bytes = reading.allocated_bytes

    def _end(self, reading: MemoryReading) -> None:
        search, began_bytes = self._search, self._began_bytes
        self._began_bytes = None  # the search is over
        if search is not None and began_bytes is not None:
            self._holder = search.end(reading.allocated_bytes - began_bytes)

    def _described(self, growth: Growth) -> MemoryGrowth:
        holder = self._holder or GrowthHolder("", None, holds_graphs=False)
        return MemoryGrowth(
            bytes_per_step=growth.per_step,
            steps=growth.steps,
            outlasts_epoch=growth.outlasts_epoch,
            holder=holder.name or None,
            function=holder.function,
            holds_graphs=holder.holds_graphs,
        )
