"""Columns of the latest entries, in bounded memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

NAN: Final = math.nan

VALUE_TYPE: Final = "f"
"""Array type of values. Four bytes are accurate enough for charts: 80 GiB to within 8 KiB."""


class RingDump(Struct, frozen=True, kw_only=True):
    """A ring's entries, oldest first, in this machine's byte order."""

    times: bytes
    columns: dict[str, bytes]
    dropped: bool
    """Whether there were older entries that are not in the dump."""


class Ring:
    """The latest ``capacity`` entries: a column of times, and one column per name that ever had a value.

    A missing value is NaN. A name that never had a value takes no memory.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._next = 0
        self._dropped = False
        self._times = array("d")
        self._columns: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def append(self, time_seconds: float, values: Mapping[str, float]) -> None:
        """Add an entry; a full ring drops its oldest one. A name missing in ``values`` has no value in this entry."""
        count = len(self._times)
        for name in values.keys() - self._columns.keys():
            self._columns[name] = array(VALUE_TYPE, [NAN]) * count
        if count < self._capacity:
            for column in (self._times, *self._columns.values()):
                column.append(NAN)
        else:
            self._dropped = True
        self._times[self._next] = time_seconds
        for name, column in self._columns.items():
            column[self._next] = values.get(name, NAN)
        self._next = (self._next + 1) % self._capacity

    def between(
        self, oldest_seconds: float, newest_seconds: float, names: Iterable[str]
    ) -> tuple[array[float], dict[str, array[float]]]:
        """Return copies of the entries with ``oldest_seconds <= time < newest_seconds``, oldest first."""
        times = self._ordered(self._times)
        first = bisect_left(times, oldest_seconds)
        last = bisect_left(times, newest_seconds)
        known = [name for name in names if name in self._columns]
        columns = {name: self._ordered(self._columns[name])[first:last] for name in known}
        return times[first:last], columns

    def entries(self, oldest_seconds: float) -> Iterator[tuple[float, dict[str, float]]]:
        """Yield the entries from this time on, oldest first, each without its missing values."""
        times, columns = self.between(oldest_seconds, math.inf, self._columns)
        for place, time in enumerate(times):
            values = {name: column[place] for name, column in columns.items()}
            yield time, {name: each for name, each in values.items() if not math.isnan(each)}

    def complete_from_seconds(self) -> float:
        """Return the time from which on no entry was dropped to make room.

        Minus infinity if none was ever dropped; infinity if entries were dropped and none is left.
        """
        if not self._dropped:
            return -math.inf
        if not self._times:
            return math.inf
        return self._times[self._next if len(self._times) == self._capacity else 0]

    def newest_seconds(self) -> float:
        """Return the time of the latest entry; minus infinity when there is none."""
        return self._times[self._next - 1] if self._times else -math.inf

    def forget_from(self, time_seconds: float) -> None:
        """Drop all entries from this time on: the clock was set back."""
        times = self._ordered(self._times)
        kept = bisect_left(times, time_seconds)
        self._columns = {name: self._ordered(each)[:kept] for name, each in self._columns.items()}
        self._times = times[:kept]
        self._next = kept % self._capacity

    def dump(self) -> RingDump:
        """Return a copy of all entries, to be saved to a file."""
        return RingDump(
            times=self._ordered(self._times).tobytes(),
            columns={name: self._ordered(each).tobytes() for name, each in self._columns.items()},
            dropped=self._dropped,
        )

    def restore(self, dump: RingDump) -> None:
        """Replace all entries with the latest ones of a dump.

        Raises
        ------
        ValueError
            The dump's columns differ in length.
        """
        times = array("d", dump.times)
        columns = {name: array(VALUE_TYPE, content) for name, content in dump.columns.items()}
        if any(len(column) != len(times) for column in columns.values()):
            raise ValueError("columns of different lengths")
        self._times = times[-self._capacity :]
        self._columns = {name: column[-self._capacity :] for name, column in columns.items()}
        self._next = len(self._times) % self._capacity
        self._dropped = dump.dropped or len(times) > self._capacity

    def _ordered(self, column: array[float]) -> array[float]:
        if len(column) < self._capacity:
            return column[:]
        return column[self._next :] + column[: self._next]
