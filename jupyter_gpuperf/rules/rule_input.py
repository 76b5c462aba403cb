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

from jupyter_gpuperf.schemas import Reading
from jupyter_gpuperf.schemas.training import LoaderSteps


class _Slices(Mapping[str, Sequence[Reading]]):
    """A slice of all columns. A column is cut when it is accessed, since rules use few of them."""

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
    """Readings over time, in columns.

    Parameters
    ----------
    times_seconds
        Never decreasing; any spacing.
    columns
        Metric → readings, one per time: a value, or the reason why there is none.
    """

    times_seconds: Sequence[float]
    columns: Mapping[str, Sequence[Reading]]
    _values: dict[str, list[float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Cache: every rule asks whether its metrics have values at all."""
    _parts: dict[tuple[int, int], ReadingSeries] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Cache: all devices are compared with the same part of the host's readings."""

    def points(self, metric: str) -> list[tuple[float, float]]:
        """Return the times and values of a metric, without the readings that have no value."""
        pairs = zip(self.times_seconds, self.columns.get(metric, ()), strict=False)
        return [(time, float(value)) for time, value in pairs if is_value(value)]

    def values(self, metric: str) -> Sequence[float]:
        """Return the values of a metric, without the readings that have no value."""
        if metric not in self._values:
            # Most readings are floats: check them without a call, since there are tens of thousands.
            self._values[metric] = [
                float(value)
                for value in self.columns.get(metric, ())
                if (type(value) is float and value - value == 0.0) or is_value(value)
            ]
        return self._values[metric]

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric; ``None`` where it has no value."""
        values = self.values(metric)
        return math.fsum(values) / len(values) if values else None

    def newest(self, metric: str) -> float | None:
        """Return the latest value of a metric; ``None`` where it has none."""
        values = self.values(metric)
        return values[-1] if values else None

    def now(self, metric: str) -> float | None:
        """Return the value of a metric in the last reading; ``None`` where that reading has no value."""
        reading = self.columns.get(metric, (None,))[-1]
        return float(reading) if is_value(reading) else None

    def last(self, seconds: float) -> ReadingSeries:
        """Return the part that is at most ``seconds`` old."""
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
        """The median time between two readings; 0 where there are fewer than two."""
        spacings = [after - before for before, after in pairwise(self.times_seconds)]
        return median(spacings) if spacings else 0.0

    @property
    def seconds(self) -> float:
        """The time from the first reading to the last."""
        return self.times_seconds[-1] - self.times_seconds[0] if self.times_seconds else 0.0


EMPTY_SERIES = ReadingSeries(times_seconds=(), columns={})


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process that computes on a device, as the driver lists it."""

    pid: int
    notebook: str | None
    memory_used_bytes: Reading
    sm_utilization_percent: Reading


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessListing:
    """The processes that computed on a device at one time."""

    time_seconds: float
    processes: tuple[Process, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device over the window."""

    uuid: str
    index: int
    name: str
    series: ReadingSeries
    listings: tuple[ProcessListing, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleInput:
    """All that is known about some time."""

    host: ReadingSeries = EMPTY_SERIES
    devices: tuple[Device, ...] = ()
    steps: tuple[LoaderSteps, ...] = ()
    """Steps of watched loaders; empty where no step clock runs."""


def is_value(value: Reading | None) -> TypeGuard[float]:
    """Return whether a reading is a finite number; NaN is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
