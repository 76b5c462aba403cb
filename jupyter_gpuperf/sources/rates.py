"""Growth per second out of totals that grow."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

SHORTEST_SECONDS: Final = 0.05
"""A rate over less than this is noise: the totals themselves come in steps."""


class NotYet(Exception):
    """A rate was asked for before its second sample."""


class Rates:
    """Remembers each total's last value.

    Parameters
    ----------
    clock
        Gives seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._before: dict[Hashable, tuple[float, float]] = {}
        self._rates: dict[Hashable, float] = {}

    def rate(
        self,
        key: Hashable,
        total: float,
        *,
        wraps_at: float | None = None,
        most_per_second: float = 0.0,
    ) -> float | None:
        """Return the growth per second since this key's reading before.

        Parameters
        ----------
        wraps_at
            Where the total begins again at 0. One that goes back without it was reset.
        most_per_second
            The most that it can grow: ``None`` is returned where it may have wrapped more than once.

        Raises
        ------
        NotYet
            This is the first reading, or the total was reset.
        """
        now = self._clock()
        seconds, before = self._before.get(key, (now, total))
        elapsed_seconds = now - seconds
        if key in self._before and elapsed_seconds < SHORTEST_SECONDS:
            if key not in self._rates:
                raise NotYet
            return self._rates[key]
        self._before[key] = (now, total)
        growth = total - before
        if growth < 0 and wraps_at is not None:
            growth += wraps_at
        if wraps_at is not None and elapsed_seconds * most_per_second >= wraps_at:
            return None
        if elapsed_seconds <= 0 or growth < 0:
            self._rates.pop(key, None)
            raise NotYet
        self._rates[key] = growth / elapsed_seconds
        return self._rates[key]
