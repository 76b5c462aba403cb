"""When to stop measuring: when the answer is sure enough, or time is up. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.measure.statistics import Interval, half_width_ratio

FEWEST_BLOCKS: Final = 8
MOST_BLOCKS: Final = 300
INTERIM_RESAMPLES: Final = 200
"""Enough to decide whether to go on; the answer itself takes ten times as many."""

QUICK_RATIO: Final = 0.03
RIGOROUS_RATIO: Final = 0.01


def target_ratio(rigorous: bool) -> float:
    """Return how narrow an interval is measured for."""
    return RIGOROUS_RATIO if rigorous else QUICK_RATIO


@dataclass(kw_only=True, slots=True)
class StopRule:
    """Collects blocks until the interval is within ``target_ratio``, or ``limit_seconds`` passed.

    Parameters
    ----------
    interval_of
        Estimates from the blocks so far; takes the blocks and a count of resamples.
    clock
        Gives seconds that never jump.
    """

    target_ratio: float
    limit_seconds: float
    interval_of: Callable[[Sequence[float], int], Interval]
    clock: Callable[[], float] = time.perf_counter
    blocks: list[float] = field(default_factory=list)
    _began: float | None = None
    _ratio: float = float("inf")

    def add(self, block: float) -> None:
        """Add a block's result."""
        if self._began is None:
            self._began = self.clock()
        self.blocks.append(block)
        # Looking costs more than a short block does: look at every block first, rarer later.
        count = len(self.blocks)
        if count >= FEWEST_BLOCKS and (count < 32 or count % 8 == 0):
            self._ratio = half_width_ratio(self.interval_of(self.blocks, INTERIM_RESAMPLES))

    def run(
        self, block: Callable[[], float], progress: Callable[[float, list[float]], object]
    ) -> list[float]:
        """Add blocks until it is done; ``progress`` takes a ratio and the blocks so far, which are returned."""
        while not self.done:
            self.add(block())
            progress(self.progress_ratio, self.blocks)
        return self.blocks

    @property
    def converged(self) -> bool:
        """Tell whether the interval is narrow enough."""
        return self._ratio <= self.target_ratio

    @property
    def done(self) -> bool:
        """Tell whether to stop."""
        return self.converged or self.time_is_up or len(self.blocks) >= MOST_BLOCKS

    @property
    def time_is_up(self) -> bool:
        """Tell whether the time limit has passed."""
        return self._began is not None and self.clock() - self._began >= self.limit_seconds

    @property
    def progress_ratio(self) -> float:
        """How far the time limit is used up, from 0 to 1; most runs converge before."""
        if self._began is None:
            return 0.0
        return min(1.0, (self.clock() - self._began) / self.limit_seconds)

    def doubt(self) -> str | None:
        """Return a sentence when the interval stayed wider than asked for, else ``None``."""
        if self.converged:
            return None
        found = f"{self._ratio:.1%}" if self._ratio != float("inf") else "unknown"
        return (
            f"It did not converge: the interval is within {found}, not {self.target_ratio:.0%}, "
            f"after {len(self.blocks)} blocks. Raise the time limit, or see what else runs here."
        )
