"""Empties a GPU's second-level cache between calls, for who wants to know what cold data costs.

Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

UNKNOWN_CACHE_BYTES: Final = 256 << 20
"""Where torch does not tell: larger than that of any chip so far."""


def flusher(torch: Any, device: Any) -> Callable[[], object]:  # the module, a torch.device
    """Return a function that queues a write over twice the cache's size on the device."""
    properties = torch.cuda.get_device_properties(device)
    cache_bytes = getattr(properties, "L2_cache_size", 0) or UNKNOWN_CACHE_BYTES
    buffer = torch.empty(2 * cache_bytes, dtype=torch.int8, device=device)
    return lambda: buffer.zero_()
