"""How much device memory a piece of work takes, and how large it may be. Standard library only at module level."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any, TypeVar

S = TypeVar("S", bound=Any)
"""A dataclass with a ``batch`` that can be halved."""


def peak_bytes(torch: Any, device: Any, make: Callable[[], Callable[[], object]]) -> float:
    """Return the most memory that tensors held while ``make`` built a step and ran it twice.

    Twice: the second time the optimizer's state and the gradients are there from the start.
    """
    free(torch)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step = make()
    step()
    step()
    torch.cuda.synchronize(device)
    peak = float(torch.cuda.max_memory_allocated(device) - before)
    del step
    free(torch)
    return peak


def fits(torch: Any, attempt: Callable[[S], object], size: S, warn: Callable[[str], None]) -> S:
    """Return ``size``, its batch halved until ``attempt`` no longer runs out of device memory.

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
            free(torch)
        size = dataclasses.replace(size, batch=size.batch // 2)
        warn(f"The GPU's memory ran out: measured with a batch of {size.batch}.")


def free(torch: Any) -> None:
    """Give back what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
