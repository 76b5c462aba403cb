"""Stop measuring when the interval is narrow enough or the time is up. This module uses only the standard library."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.measure.statistics import Interval, half_width_ratio
from jupyter_gpuperf.messages import Message

FEWEST_BLOCKS: Final = 8
MOST_BLOCKS: Final = 300
INTERIM_RESAMPLES: Final = 200
"""Number of resamples to decide whether to continue; the final interval uses ten times as many."""

QUICK_RATIO: Final = 0.03
RIGOROUS_RATIO: Final = 0.01


def target_ratio(rigorous: bool) -> float:
    """Return the half-width of the interval, as a share of the value, at which measuring stops."""
    return RIGOROUS_RATIO if rigorous else QUICK_RATIO


@dataclass(kw_only=True, slots=True)
class StopRule:
    """Collects blocks until the interval is narrow enough, or the time limit has passed.

    Parameters
    ----------
    target_ratio
        The half-width of the interval, as a share of the value, at which measuring stops.
    limit_seconds
        Time limit, from the end of the first block.
    interval_of
        Returns the estimate with its interval, given the blocks so far and the number of resamples.
    clock
        Returns the seconds of a monotonic clock.
    """

    target_ratio: float
    limit_seconds: float
    interval_of: Callable[[Sequence[float], int], Interval]
    clock: Callable[[], float] = time.perf_counter
    blocks: list[float] = field(default_factory=list)
    _began: float | None = None
    _ratio: float = float("inf")

    def add(self, block: float) -> None:
        """Add the result of a block."""
        if self._began is None:
            self._began = self.clock()
        self.blocks.append(block)
        # Computing the interval takes longer than a short block: do it for every block at first, and less often later.
        count = len(self.blocks)
        if count >= FEWEST_BLOCKS and (count < 32 or count % 8 == 0):
            self._ratio = half_width_ratio(self.interval_of(self.blocks, INTERIM_RESAMPLES))

    def run(
        self, block: Callable[[], float], progress: Callable[[float, list[float]], object]
    ) -> list[float]:
        """Call ``block`` until done, and return the blocks.

        ``progress`` is called with :attr:`progress_ratio` and the blocks so far.
        """
        while not self.done:
            self.add(block())
            progress(self.progress_ratio, self.blocks)
        return self.blocks

    @property
    def converged(self) -> bool:
        """Whether the interval is narrow enough."""
        return self._ratio <= self.target_ratio

    @property
    def done(self) -> bool:
        """Whether to stop measuring."""
        return self.converged or self.time_is_up or len(self.blocks) >= MOST_BLOCKS

    @property
    def time_is_up(self) -> bool:
        """Whether the time limit has passed."""
        return self._began is not None and self.clock() - self._began >= self.limit_seconds

    @property
    def progress_ratio(self) -> float:
        """The used share of the time limit, from 0 to 1; most measurements converge earlier."""
        if self._began is None:
            return 0.0
        return min(1.0, (self.clock() - self._began) / self.limit_seconds)

    def doubt(self) -> str | None:
        """Return a warning if the interval is still wider than requested, otherwise ``None``."""
        if self.converged:
            return None
        return not_converged_warning(self._ratio, self.target_ratio, len(self.blocks))


def not_converged_warning(half_width: float, target: float, count: int) -> Message:
    """Return the warning about an interval that is still wider than requested.

    ``half_width`` and ``target`` are shares of the value; ``count`` is the number of samples.
    """
    return Message(
        "Too few samples for an interval of ±{target:.0f} %. Raise the time limit."
        if math.isinf(half_width)
        else "Not converged after {count} samples: interval ±{half_width:.1f} %, target ±{target:.0f} %. "
        "Raise the time limit, or check what else is running.",
        count=count,
        half_width=100 * half_width,
        target=100 * target,
    )
