"""Input of the rules: readings of devices and of the host, processes, and training steps."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import TypeGuard

from jupyter_gpuperf.schemas import OutOfMemory, Reading
from jupyter_gpuperf.schemas.training import LoopSteps


class _Slices(Mapping[str, Sequence[Reading]]):
    """The same slice of every column. A column is sliced only when it is accessed, since rules use few columns."""

    def __init__(self, columns: Mapping[str, Sequence[Reading]], first: int, last: int) -> None:
        self._columns, self._first, self._last = columns, first, last

    def __getitem__(self, name: str) -> Sequence[Reading]:
        return self._columns[name][self._first : self._last]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


@dataclass(frozen=True, kw_only=True)
class ReadingSeries:
    """Readings over time, one column per metric.

    Parameters
    ----------
    times_seconds
        Times of the readings: never decreasing, with any spacing.
    columns
        Metric → readings, one per time: a value, or the reason why there is none.
    """

    times_seconds: Sequence[float]
    columns: Mapping[str, Sequence[Reading]]
    _values: dict[str, list[float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Cache of :meth:`values`: every rule checks whether its metrics have any values."""
    _parts: dict[tuple[int, int], ReadingSeries] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Cache of :meth:`between`: every device uses the same part of the host's readings."""

    def points(self, metric: str) -> list[tuple[float, float]]:
        """Return pairs of time and value of a metric, without the readings that have no value."""
        pairs = zip(self.times_seconds, self.columns.get(metric, ()), strict=False)
        return [(time, float(value)) for time, value in pairs if is_value(value)]

    def values(self, metric: str) -> Sequence[float]:
        """Return the values of a metric, without the readings that have no value."""
        if metric not in self._values:
            # Most of the tens of thousands of readings are floats: check those without a function call.
            self._values[metric] = [
                float(value)
                for value in self.columns.get(metric, ())
                if (type(value) is float and value - value == 0.0) or is_value(value)
            ]
        return self._values[metric]

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric; ``None`` if it has no values."""
        values = self.values(metric)
        return math.fsum(values) / len(values) if values else None

    def last_known(self, metric: str) -> float | None:
        """Return the last known value of a metric, even from an earlier reading; ``None`` if it has no values."""
        values = self.values(metric)
        return values[-1] if values else None

    def current(self, metric: str) -> float | None:
        """Return the value of a metric in the last reading; ``None`` if that reading has no value."""
        reading = self.columns.get(metric, (None,))[-1]
        return float(reading) if is_value(reading) else None

    def last(self, seconds: float) -> ReadingSeries:
        """Return the part within ``seconds`` before the last reading."""
        return self.between(self.times_seconds[-1] - seconds, self.times_seconds[-1])

    def between(self, start_seconds: float, end_seconds: float) -> ReadingSeries:
        """Return the part with ``start_seconds <= time <= end_seconds``."""
        first = bisect_left(self.times_seconds, start_seconds)
        last = bisect_right(self.times_seconds, end_seconds)
        if (first, last) not in self._parts:
            times, columns = self.times_seconds[first:last], _Slices(self.columns, first, last)
            self._parts[first, last] = ReadingSeries(times_seconds=times, columns=columns)
        return self._parts[first, last]

    @cached_property
    def interval_seconds(self) -> float:
        """The median time between two consecutive readings; 0 if there are fewer than two readings."""
        spacings = [after - before for before, after in pairwise(self.times_seconds)]
        return median(spacings) if spacings else 0.0

    @property
    def seconds(self) -> float:
        """The time from the first reading to the last; 0 without readings."""
        return self.times_seconds[-1] - self.times_seconds[0] if self.times_seconds else 0.0


EMPTY_SERIES = ReadingSeries(times_seconds=(), columns={})


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A compute process on a device, as listed by the driver."""

    pid: int
    notebook: str | None
    memory_used_bytes: Reading
    sm_utilization_percent: Reading


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessListing:
    """The compute processes on a device at one time."""

    time_seconds: float
    processes: tuple[Process, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device, with its readings and process listings in the examined time."""

    uuid: str
    index: int
    name: str
    series: ReadingSeries
    listings: tuple[ProcessListing, ...] = ()
    compute_capability: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutOfMemoryCell:
    """A notebook's cell that ran out of memory, and whose memory did not come free since."""

    device: str | None
    """UUID of the device; ``None`` if it is unknown."""
    pid: int | None
    notebook: str | None
    failure: OutOfMemory


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleInput:
    """All readings, processes and steps of the examined time."""

    host: ReadingSeries = EMPTY_SERIES
    devices: tuple[Device, ...] = ()
    steps: tuple[LoopSteps, ...] = ()
    """Steps of the watched loaders; empty if no step clock runs."""
    failures: tuple[OutOfMemoryCell, ...] = ()


def is_value(value: Reading | None) -> TypeGuard[float]:
    """Return whether a reading is a finite number; ``False`` for NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
