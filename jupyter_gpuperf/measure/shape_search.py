"""Looks for the shape of a matrix product that runs at the highest rate, in bounded time.

A coarse grid first, the neighbours of the best, and then the best of all in turn, for longer each time.
Standard library only.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Shape = tuple[int, int, int]
"""Rows, columns and inner dimension of a product: (m×k) times (k×n)."""

STEP: Final = 2048
"""Of the coarse grid; neighbours are half of it away."""
BLOCK_SECONDS: Final = 0.012
"""One look at a shape; long enough that the winners are among the best few."""
CENTRES: Final = 24
"""Coarse shapes whose neighbours are looked at."""


FINALS: Final = ((48, 2, 0.05), (12, 5, 0.2))
"""How many shapes are looked at again, how often, and for how many seconds each time: at the power limit one short
look is off by several per cent; the best are a per cent apart."""


class Search:
    """Looks for the shape with the highest rate, for so long at most.

    Parameters
    ----------
    rate
        Takes a shape and for how many seconds to look at it; returns operations per second.
    largest
        Bound of the finer shapes' dimensions.
    say
        Takes the used share of the time, and the best rate so far.
    """

    def __init__(
        self,
        rate: Callable[[Shape, float], float],
        *,
        largest: int,
        limit_seconds: float,
        say: Callable[[float, float], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._rate, self._largest, self._say, self._clock = rate, largest, say, clock
        self._limit_seconds = limit_seconds
        self._began = clock()
        self.rates: dict[Shape, float] = {}

    def best_of(self, grid: Sequence[Shape]) -> Shape:
        """Return the best of the coarse shapes of ``grid`` and of what lies near the best of them."""
        self._look_at(grid)
        self._look_at(neighbours(self._top(CENTRES), STEP // 2, self._largest))
        return self._final()

    def _look_at(self, shapes: Iterable[Shape]) -> None:
        for shape in shapes:
            if self.rates and self._used_ratio() >= 1:
                return
            if shape not in self.rates:
                self.rates[shape] = self._rate(shape, BLOCK_SECONDS)
                self._say(min(1.0, self._used_ratio()), max(self.rates.values()))

    def _final(self) -> Shape:
        best = self._top(FINALS[0][0])
        for shapes, rounds, seconds in FINALS:
            looks: dict[Shape, list[float]] = {shape: [] for shape in best[:shapes]}
            # In turn, so that a clock that drifts hurts all alike.
            for shape in [*looks] * rounds:
                if self._used_ratio() < 1:
                    looks[shape].append(self._rate(shape, seconds))
            medians = {shape: statistics.median(rates) for shape, rates in looks.items() if rates}
            best = sorted(medians, key=medians.__getitem__, reverse=True) or best
        return best[0]

    def _top(self, count: int) -> list[Shape]:
        return sorted(self.rates, key=self.rates.__getitem__, reverse=True)[:count]

    def _used_ratio(self) -> float:
        return (self._clock() - self._began) / self._limit_seconds


def neighbours(shapes: Iterable[Shape], step: int, largest: int) -> Iterable[Shape]:
    """Return the shapes that differ by at most one step in each dimension, within the bounds."""
    near = (
        (rows + more_rows, columns + more_columns, inner + more_inner)
        for rows, columns, inner in shapes
        for more_rows, more_columns, more_inner in itertools.product((-step, 0, step), repeat=3)
    )
    return dict.fromkeys(shape for shape in near if step <= min(shape) and max(shape) <= largest)
