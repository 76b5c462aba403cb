"""Search for the shape of a matrix product that runs at the highest rate, in bounded time.

It measures a coarse grid, then the neighbors of the best, and then the best of all in turn, for longer each time.
Standard library only.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Shape = tuple[int, int, int]
"""Rows, columns and inner dimension of a product: (m, n, k) for (m×k) times (k×n)."""

STEP: Final = 2048
"""Step of the coarse grid; neighbors are half a step away."""
BLOCK_SECONDS: Final = 0.012
"""Seconds of a first measurement of a shape: long enough that the winners are among the best few."""
CENTRES: Final = 24
"""Number of coarse shapes whose neighbors are measured."""


FINALS: Final = ((48, 2, 0.05), (12, 5, 0.2))
"""Final rounds: how many shapes, how often, and for how many seconds each. At the power limit one short measurement
is off by several percent, while the best shapes are one percent apart.
"""


class Search:
    """Search for the shape with the highest rate, within a time limit.

    Parameters
    ----------
    rate
        Takes a shape and the seconds to measure it; returns operations per second.
    largest
        Largest dimension of the finer shapes.
    say
        Takes the used share of the time limit, and the best rate so far.
    """

    def __init__(
        self,
        rate: Callable[[Shape, float], float],
        *,
        largest: int,
        limit_seconds: float,
        report_progress: Callable[[float, float], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._rate, self._largest, self._say, self._clock = rate, largest, report_progress, clock
        self._limit_seconds = limit_seconds
        self._began = clock()
        self.rates: dict[Shape, float] = {}

    def best_of(self, grid: Sequence[Shape]) -> Shape:
        """Return the best shape of ``grid`` and of the neighbors of its best shapes."""
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
            # In turn, so that a drifting clock affects all alike.
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
    """Return the shapes that differ by at most one step in each dimension, from ``step`` to ``largest``."""
    near = (
        (rows + more_rows, columns + more_columns, inner + more_inner)
        for rows, columns, inner in shapes
        for more_rows, more_columns, more_inner in itertools.product((-step, 0, step), repeat=3)
    )
    return dict.fromkeys(shape for shape in near if step <= min(shape) and max(shape) <= largest)
