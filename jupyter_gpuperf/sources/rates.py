"""Compute the growth per second of counters that only grow."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

SHORTEST_SECONDS: Final = 0.05
"""Shortest time for a rate. Counters grow in steps, so a rate over a shorter time would be noise."""


class NoSampleYet(Exception):
    """The value can't be computed yet, because its first or second sample is missing."""


class Rates:
    """Computes rates of counters, and keeps each counter's last value for this.

    Parameters
    ----------
    clock
        Monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Key → (time of the last reading, its total, and its rate or ``None``).
        self._kept: dict[Hashable, tuple[float, float, float | None]] = {}

    def rate(
        self,
        key: Hashable,
        total: float,
        *,
        wraps_at: float | None = None,
        most_per_second: float = 0.0,
    ) -> float | None:
        """Return the growth per second since the last reading of this counter.

        Parameters
        ----------
        key
            Identifies the counter.
        wraps_at
            Value at which the counter restarts at 0. If omitted, a total that is lower than before means that the
            counter was reset.
        most_per_second
            The fastest possible growth. If the counter may have wrapped more than once, ``None`` is returned.

        Raises
        ------
        NoSampleYet
            This is the first reading, or the counter was reset.
        """
        now = self._clock()
        if key not in self._kept:
            self._kept[key] = (now, total, None)
        seconds, before, rate = self._kept[key]
        elapsed_seconds = now - seconds
        if elapsed_seconds >= SHORTEST_SECONDS:
            growth = total - before
            if wraps_at is not None and growth < 0:
                growth += wraps_at
            is_ambiguous = wraps_at is not None and elapsed_seconds * most_per_second >= wraps_at
            rate = growth / elapsed_seconds if growth >= 0 and not is_ambiguous else None
            self._kept[key] = (now, total, rate)
            if is_ambiguous:
                return None
        if rate is None:
            raise NoSampleYet
        return rate
