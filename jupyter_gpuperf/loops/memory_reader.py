"""Read torch's counters of GPU memory at the ends of steps, where the memory of a step's own work is free again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

READ_SECONDS: Final = 0.25
"""Minimum time between two readings."""


class MemoryReading(NamedTuple):
    """Torch's counters. The peak is since the notebook last reset it: it is never reset here."""

    allocated_bytes: float
    reserved_bytes: float
    peak_allocated_bytes: float


class MemoryReader:
    """Reads the counters of one device, in the loop's thread. The device is not accessed.

    Parameters
    ----------
    torch
        The torch module, with CUDA initialized.
    device
        The index of the device.
    """

    def __init__(self, torch: Any, device: int) -> None:
        self.device = device
        self.due_seconds = -math.inf
        """The next step that ends at this time or later is read."""
        self.at_next_reading: Callable[[MemoryReading], None] | None = None
        """Called once with the next reading, at the end of a step."""
        self.took_seconds = 0.0
        """Duration of the last reading, with what was called."""
        properties = torch.cuda.get_device_properties(device)
        self.device_bytes = float(getattr(properties, "total_memory", 0))
        self._stats = getattr(torch.cuda, "memory_stats_as_nested_dict", None)

    def read(self, now: float) -> MemoryReading | None:
        """Return the counters; ``None`` if the allocator in use has none, which is then not asked again."""
        began = time.perf_counter()
        self.due_seconds, reading = now + READ_SECONDS, None
        try:
            stats = self._stats(self.device)  # type: ignore[misc]  # if torch lacks it, see below
            allocated, reserved = stats["allocated_bytes"]["all"], stats["reserved_bytes"]["all"]
            reading = MemoryReading(
                float(allocated["current"]), float(reserved["current"]), float(allocated["peak"])
            )
            act, self.at_next_reading = self.at_next_reading, None
            if act is not None:
                act(reading)
        except Exception:  # the user's loop must continue  # noqa: BLE001
            self.due_seconds = math.inf
        self.took_seconds = time.perf_counter() - began
        return reading
