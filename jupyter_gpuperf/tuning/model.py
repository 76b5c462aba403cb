"""Predict the time of a batch for a number of workers from a few trials. Standard library only.

    seconds(W) = parallel × (c / min(W, C) + (1 − c) / W) + serial + crowding × max(0, W − C)

C is the number of CPUs, and c the share of an item's time spent computing. Computing scales only up to the number of
CPUs; waiting for storage scales to any number of workers. The main process's work on each batch (receiving, pinning)
does not scale. Workers beyond the number of CPUs slow each other down. The three factors are fitted; none may be
negative.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NEAR_BEST_RATIO: Final = 1.03
Row = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerTimeModel:
    """A fitted model; see the module's docstring."""

    factors: Row
    """Parallel, serial and crowding."""
    cpus: float
    computing: float

    def seconds(self, workers: int) -> float:
        """Return the seconds per batch with this many workers (1 or more)."""
        return _product(self.factors, _row(workers, self.cpus, self.computing))

    def best_workers(self, most: int) -> int:
        """Return the fewest workers, up to ``most``, that come within 3 % of the fastest."""
        times = {workers: self.seconds(workers) for workers in range(1, most + 1)}
        least = min(times.values())
        return next(workers for workers, each in times.items() if each <= NEAR_BEST_RATIO * least)

    def fewest_workers(self, most: int, goal_seconds: float) -> int | None:
        """Return the fewest workers with which a batch takes at most ``goal_seconds``; ``None`` beyond ``most``."""
        found = (each for each in range(1, most + 1) if self.seconds(each) <= goal_seconds)
        return next(found, None)


def fit_model(measured: Mapping[int, float], *, cpus: float, computing: float) -> WorkerTimeModel:
    """Return the model that fits the measured times with the least relative error.

    Parameters
    ----------
    measured
        Workers (1 or more) → seconds per batch; one point is enough for a first guess.
    computing
        Share of an item's time spent computing, from 0 to 1.
    """
    rows = [
        [each / seconds for each in _row(workers, cpus, computing)]
        for workers, seconds in measured.items()
    ]
    least, best = math.inf, (next(iter(measured.values())), 0.0, 0.0)
    # Solve for every subset of non-zero factors; take the best solution without negative factors.
    choices = (itertools.combinations(range(3), count) for count in (1, 2, 3))
    for kept in itertools.chain.from_iterable(choices):
        if len(kept) > len(rows) or (2 in kept and len(measured) < 3):
            continue
        solved = _least_squares([[row[each] for each in kept] for row in rows])
        if solved is None or min(solved) < 0:
            continue
        known = dict(zip(kept, solved, strict=True))
        factors = (known.get(0, 0.0), known.get(1, 0.0), known.get(2, 0.0))
        error = sum((_product(factors, row) - 1) ** 2 for row in rows)
        if error < least - 1e-9:
            least, best = error, factors
    return WorkerTimeModel(factors=best, cpus=cpus, computing=computing)


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _row(workers: int, cpus: float, computing: float) -> Row:
    shared = max(1.0, min(float(workers), cpus))
    parallel = computing / shared + (1 - computing) / workers
    return parallel, 1.0, max(0.0, workers - cpus)


def _least_squares(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """Solve for the factors that make each row sum to one, by the normal equations; ``None`` when singular."""
    size = len(rows[0])
    matrix = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] for row in rows)]
        for i in range(size)
    ]
    for i in range(size):
        pivot = max(range(i, size), key=lambda each: abs(matrix[each][i]))
        if abs(matrix[pivot][i]) < 1e-12:
            return None
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for j in range(size):
            if j != i:
                factor = matrix[j][i] / matrix[i][i]
                matrix[j] = [a - factor * b for a, b in zip(matrix[j], matrix[i], strict=True)]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]
