"""Search for the shape of a matrix product with the highest rate, within a time limit.

The search measures a coarse grid, then the neighbors of its best shapes, and then, in final rounds, ever fewer of the
best shapes, each for longer. This module uses only the standard library.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Shape = tuple[int, int, int]
"""Dimensions of a product: (m, n, k) for an m×k matrix times a k×n matrix."""

GRID_STEP: Final = 2048
"""Step of the coarse grid. Neighbors differ by half a step."""
BLOCK_SECONDS: Final = 0.012
"""Duration of the first measurement of a shape: long enough that the fastest shapes reach the final rounds."""
CENTRES_COUNT: Final = 24
"""Number of the best coarse shapes whose neighbors are measured."""


FINAL_ROUNDS: Final = ((48, 2, 0.05), (12, 5, 0.2))
"""Final rounds: number of shapes, measurements per shape, and seconds per measurement. At the power limit, a single
short measurement is off by several percent, while the best shapes differ by only one percent.
"""


class Search:
    """Searches for the shape with the highest rate, within a time limit.

    Parameters
    ----------
    rate
        Measures a shape for the given seconds, and returns its operations per second.
    largest
        Upper limit for the dimensions of neighbors.
    report_progress
        Called with the used share of the time limit, and with the best rate so far.
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
        """Return the fastest shape among ``grid`` and the neighbors of its best shapes."""
        self._look_at(grid)
        self._look_at(neighbours(self._top(CENTRES_COUNT), GRID_STEP // 2, self._largest))
        return self._final()

    def _look_at(self, shapes: Iterable[Shape]) -> None:
        for shape in shapes:
            if self.rates and self._used_ratio() >= 1:
                return
            if shape not in self.rates:
                self.rates[shape] = self._rate(shape, BLOCK_SECONDS)
                self._say(min(1.0, self._used_ratio()), max(self.rates.values()))

    def _final(self) -> Shape:
        best = self._top(FINAL_ROUNDS[0][0])
        for shapes, rounds, seconds in FINAL_ROUNDS:
            looks: dict[Shape, list[float]] = {shape: [] for shape in best[:shapes]}
            # Measure the shapes alternately, so that a drifting clock affects all of them equally.
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
    """Return the shapes that differ from ``shapes`` by at most ``step`` in each dimension, including ``shapes``.

    Shapes with a dimension below ``step`` or above ``largest`` are left out.
    """
    near = (
        (rows + more_rows, columns + more_columns, inner + more_inner)
        for rows, columns, inner in shapes
        for more_rows, more_columns, more_inner in itertools.product((-step, 0, step), repeat=3)
    )
    return dict.fromkeys(shape for shape in near if step <= min(shape) and max(shape) <= largest)
