"""What takes the batches: nothing, a copy to the GPU, or the user's training step. torch only within functions."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

WARM_UP_STEPS: Final = 3
MOST_STEPS: Final = 50

Step = Callable[[Any], object]


class ToDevice:
    """Copies each batch to the GPU, as a training does; that is what pinned memory is for."""

    def __init__(self, *, pinned: bool) -> None:
        import torch

        self._torch, self._pinned = torch, pinned
        self._device = torch.device("cuda")

    def __call__(self, batch: Any) -> None:
        """Copy."""
        copied(batch, self._device, self._pinned)

    def settle(self) -> None:
        """Wait for the copies."""
        self._torch.cuda.synchronize()


def copied(batch: Any, device: Any, non_blocking: bool) -> Any:
    """Return a batch with its tensors on the device, however they are nested."""
    if hasattr(batch, "is_cuda"):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, Mapping):
        return {name: copied(each, device, non_blocking) for name, each in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [copied(each, device, non_blocking) for each in batch]
    return batch


def sleeping(seconds: float) -> Step:
    """Return a step that takes so long and computes nothing: as a GPU does for the processor."""
    return lambda batch: time.sleep(seconds)


def settled(step: Step) -> Step:
    """Return the step and the wait for what it began on the GPU."""

    def run(batch: Any) -> None:
        step(batch)
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    return run


def step_seconds_of(step: Step, batch: Any, limit_seconds: float) -> float:
    """Return how long the step takes on a batch that is there already: the median after a warm-up."""
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
