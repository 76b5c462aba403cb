"""How a step's peak memory grows with the batch: in each phase a fixed part, and bytes per sample. Pure functions only.

The peak is the highest of several phases. While the optimizer works, there are temporary copies of the parameters, but
no activations any more; with small batches, that may be the highest. So each phase has a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Point = tuple[int, float]
"""A batch size, and bytes."""

LINEAR_RATIO: Final = 0.02
"""Points belong to a line if none is further away than this share of its value."""


@dataclass(frozen=True, slots=True)
class Line:
    """``fixed_bytes + bytes_per_sample * batch_size``, and the points that it was fitted to."""

    fixed_bytes: float
    bytes_per_sample: float
    points: tuple[Point, ...]

    def at(self, size: int) -> float:
        """Return the bytes at a batch size."""
        return self.fixed_bytes + self.bytes_per_sample * size

    @property
    def deviation_ratio(self) -> float:
        """The largest distance of a point from the line, as a share of its value."""
        return max(abs(self.at(size) / value - 1) for size, value in self.points)


@dataclass(frozen=True, slots=True)
class MemoryLaw:
    """The highest of the lines of all phases."""

    lines: Mapping[str, Line]

    def at(self, size: int) -> float:
        """Return the predicted peak at a batch size."""
        return max(each.at(size) for each in self.lines.values())

    def phase_at(self, size: int) -> str:
        """Return the phase that decides the peak at a batch size."""
        return max(self.lines, key=lambda name: self.lines[name].at(size))

    def largest_within(self, limit_bytes: float) -> int | None:
        """Return the largest batch size whose peak is at most ``limit_bytes``; ``None`` if the peak does not grow."""
        largest = math.inf
        for each in self.lines.values():
            if each.bytes_per_sample > 0:
                largest = min(largest, (limit_bytes - each.fixed_bytes) / each.bytes_per_sample)
            elif each.fixed_bytes > limit_bytes:
                largest = 0.0
        return None if math.isinf(largest) else max(0, math.floor(largest))


def fit_law(phases: Mapping[str, Sequence[Point]]) -> MemoryLaw | None:
    """Fit a line to each phase, or return ``None`` while a phase has fewer than two batch sizes."""
    if not phases or any(len(points) < 2 for points in phases.values()):
        return None
    return MemoryLaw({name: _line(sorted(points)) for name, points in phases.items()})


def _line(points: Sequence[Point]) -> Line:
    """Fit the largest sizes, and as many smaller ones as are on the same line: what follows is larger, too."""
    best = _least_squares(points[-2:])
    for count in range(3, len(points) + 1):
        longer = _least_squares(points[-count:])
        if longer.deviation_ratio > LINEAR_RATIO:
            break
        best = longer
    return best


def _least_squares(points: Sequence[Point]) -> Line:
    middle = sum(size for size, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((size - middle) ** 2 for size, _ in points)
    slope = sum((size - middle) * (value - mean) for size, value in points) / spread
    return Line(mean - slope * middle, slope, tuple(points))
