"""What a kernel tells its server of itself: the memory that its torch holds on each device.

In a container the driver numbers processes as the machine does, and often nothing there tells which of them
a notebook is. The notebook itself knows what it holds.
"""

from __future__ import annotations

from msgspec import Struct


class Held(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory on a device, as torch's allocator counts it."""

    allocated_bytes: float
    reserved_bytes: float


class Holding(Struct, frozen=True, kw_only=True, tag="holding", forbid_unknown_fields=True):
    """All that the kernel holds now; stands until the next one, or until it hangs up."""

    devices: dict[str, Held] = {}
    """Device UUID → what is held there."""
