"""Whether a figure grows steadily, step by step: not as a sawtooth, not at first only, not in a few jumps."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Final, NamedTuple

MOST_POINTS: Final = 256
"""Beyond, two neighbours become one: the track spans any loop, in bounded memory."""
SKIPPED_STEPS: Final = 3
"""The first steps allocate gradients, the optimizer's state and workspaces."""
FEWEST_POINTS: Final = 16
FEWEST_STEPS: Final = 48
"""More than the batches over which gradients are usually accumulated."""
SHORTEST_SECONDS: Final = 10.0
FALLS_RATIO: Final = 1.5
"""The growth exceeds the largest fall so far by this factor: what fell once may fall again."""
QUARTERS_RATIO: Final = 0.5
"""Each quarter of the time has at least this share of the mean growth, and at most its inverse: growth that levels off
has less at the end, a jump has more at once."""
RISING_RATIO: Final = 0.6
RISING_LAG_RATIO: Final = 1 / 16
"""At least this share of the points is above an earlier one, which is this share of all points away: a few jumps, such as
a copy of the weights in each epoch, are no growth by steps."""
BORDER_POINTS: Final = 4
"""Number of points before and after the end of an epoch that show that the growth outlasts it."""


class Point(NamedTuple):
    """A reading at the end of a step."""

    steps: int
    seconds: float
    value: float
    epoch: int


class Growth(NamedTuple):
    """Steady growth.

    Attributes
    ----------
    per_step, total
        The growth in a step, and in all ``steps``.
    largest_fall
        The largest fall so far.
    outlasts_epoch
        Whether it continued after the end of an epoch.
    """

    per_step: float
    total: float
    steps: int
    largest_fall: float
    outlasts_epoch: bool


class GrowthTrack:
    """The readings of one loop, and what they show."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._stride = 1
        self._count = 0

    def add(self, point: Point) -> None:
        """Add a reading."""
        if point.steps <= SKIPPED_STEPS:
            return
        points = self._points
        if self._count % self._stride and points[-1].value < point.value:
            point = point._replace(value=points[-1].value)  # of several readings, the lowest
        if self._count % self._stride:
            points[-1] = point
        else:
            points.append(point)
        self._count += 1
        if len(points) == MOST_POINTS:
            self._points = [
                later._replace(value=min(one.value, later.value))
                for one, later in zip(points[::2], points[1::2], strict=False)
            ]
            self._stride *= 2
            self._count = 0

    def growth(self, least: float) -> Growth | None:
        """Return the growth since the last low if it is steady and at least ``least``, otherwise ``None``."""
        values = [each.value for each in self._points]
        if len(values) < FEWEST_POINTS:
            return None
        fall = max(
            high - value for high, value in zip(accumulate(values, max), values, strict=True)
        )
        lowest = min(values)
        start = max(i for i, value in enumerate(values) if value <= lowest + fall)
        points = self._points[start:]
        first, last = points[0], points[-1]
        steps, total = last.steps - first.steps, last.value - first.value
        is_long = (
            len(points) >= FEWEST_POINTS
            and steps >= FEWEST_STEPS
            and last.seconds - first.seconds >= SHORTEST_SECONDS
        )
        if not is_long or total < max(least, FALLS_RATIO * fall) or not _is_steady(points, total):
            return None
        return Growth(total / steps, total, steps, fall, _outlasts_epoch(points))


def _is_steady(points: list[Point], total: float) -> bool:
    lag = max(1, int(RISING_LAG_RATIO * len(points)))
    rises = [
        after.value > before.value for before, after in zip(points, points[lag:], strict=False)
    ]
    last = len(points) - 1
    quarters = [points[last * i // 4] for i in range(5)]
    shares = [4 * (after.value - before.value) / total for before, after in pairwise(quarters)]
    is_even = all(QUARTERS_RATIO <= share <= 1 / QUARTERS_RATIO for share in shares)
    return is_even and sum(rises) >= RISING_RATIO * len(rises)


def _outlasts_epoch(points: list[Point]) -> bool:
    return any(
        points[i - 1].epoch < points[i].epoch
        for i in range(BORDER_POINTS, len(points) - BORDER_POINTS + 1)
    )
