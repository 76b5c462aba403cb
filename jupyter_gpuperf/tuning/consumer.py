"""Consumers of batches: none, a copy to the GPU, or the user's training step. torch only within functions."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

WARM_UP_STEPS: Final = 3
MOST_STEPS: Final = 50

Step = Callable[[Any], object]


def settled(step: Step) -> Step:
    """Return a step that also waits for the work it started on the GPU."""

    def run(batch: Any) -> None:
        step(batch)
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    return run


def step_seconds_of(step: Step, batch: Any, limit_seconds: float) -> float:
    """Return the seconds that the step takes on a ready batch: the median after a warm-up."""
    taken: list[float] = []
    began = time.perf_counter()
    for number in range(WARM_UP_STEPS + MOST_STEPS):
        start = time.perf_counter()
        step(batch)
        now = time.perf_counter()
        if number >= WARM_UP_STEPS or now - began > limit_seconds:
            taken.append(now - start)
        if taken and now - began > limit_seconds:
            break
    return statistics.median(taken)
