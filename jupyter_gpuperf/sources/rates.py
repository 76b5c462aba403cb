"""Growth per second of totals that grow."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

SHORTEST_SECONDS: Final = 0.05
"""A rate over a shorter time is noise: the totals themselves grow in steps."""


class NoSampleYet(Exception):
    """A rate was requested before its second sample."""


class Rates:
    """Remembers each total's last value.

    Parameters
    ----------
    clock
        Returns seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # When it was read, the total, and the rate then; the rate is ``None`` where there is none.
        self._kept: dict[Hashable, tuple[float, float, float | None]] = {}

    def rate(
        self,
        key: Hashable,
        total: float,
        *,
        wraps_at: float | None = None,
        most_per_second: float = 0.0,
    ) -> float | None:
        """Return the growth per second since this key's last reading.

        Parameters
        ----------
        wraps_at
            Value at which the total restarts at 0. Without it, a total that falls was reset.
        most_per_second
            The fastest possible growth: ``None`` is returned where the total may have wrapped more than once.

        Raises
        ------
        NotYet
            This is the first reading, or the total was reset.
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
