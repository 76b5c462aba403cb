"""Measure the peak device memory of a workload, and find the largest batch that fits.

At module level, this module imports only the standard library.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any, TypeVar

from jupyter_gpuperf.messages import Message

S = TypeVar("S", bound=Any)
"""A dataclass with a field ``batch``, which can be halved."""


def peak_bytes(torch: Any, device: Any, make: Callable[[], Callable[[], object]]) -> float:
    """Return the peak memory of tensors, in bytes, while ``make`` builds a step and the step runs twice.

    The second run matters because the optimizer's state and the gradients then exist from the start.
    """
    free_device_memory(torch)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step = make()
    step()
    step()
    torch.cuda.synchronize(device)
    peak = float(torch.cuda.max_memory_allocated(device) - before)
    del step
    free_device_memory(torch)
    return peak


def largest_that_fits(
    torch: Any, attempt: Callable[[S], object], size: S, warn: Callable[[str], None]
) -> S:
    """Halve the batch of ``size`` until ``attempt`` no longer runs out of device memory; return the last size.

    ``warn`` is called with a message whenever the batch is halved.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        Not even a batch of one fits.
    """
    while True:
        try:
            attempt(size)
            return size
        except torch.cuda.OutOfMemoryError:
            if size.batch <= 1:
                raise
        finally:
            free_device_memory(torch)
        size = dataclasses.replace(size, batch=size.batch // 2)
        warn(Message("Out of GPU memory; measured with batch size {batch}.", batch=size.batch))


def free_device_memory(torch: Any) -> None:
    """Collect garbage, and return unused cached memory to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
