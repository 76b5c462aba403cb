"""Who holds a device's memory."""

from __future__ import annotations

from msgspec import Struct


class MemoryOwner(Struct, frozen=True, kw_only=True):
    """What holds memory."""

    kind: str
    """``parameter``, ``gradient``, ``optimizer``, ``buffer``, ``activation``, ``batch``, ``variable``, ``exception``,
    ``history``, ``other``, ``workspace``, ``cache``, ``context`` or ``process``."""
    name: str
    """As the user typed it: ``model``, ``outputs``, ``Out[12]``."""
    bytes: float
    holders: list[str]
    """The names that keep it alive, the largest first."""


class MemoryReport(Struct, frozen=True, kw_only=True):
    """The memory of a device by owner. What has no meaning for a CPU, or is unknown, is ``None``."""

    device: str
    allocated_bytes: float
    """In tensors: of the allocator, or, on a CPU, of the tensors found."""
    reserved_bytes: float | None
    free_bytes: float | None
    total_bytes: float | None
    attributed_ratio: float | None
    """The share of the allocated memory that belongs to a tensor that was found."""
    owners: list[MemoryOwner]
    largest_free_block_bytes: float | None = None
    """The largest allocation that fits without asking the driver for more."""
    fragmented_bytes: float | None = None
    """Unused memory in segments that are partly used, so that it can't be returned to the device."""
    seconds: float = 0.0
    notes: list[str] = []


class MemoryRemedy(Struct, frozen=True, kw_only=True):
    """Something that frees memory."""

    action: str
    bytes: float | None
    """How much it frees; ``None`` if that can't be known beforehand."""


class OutOfMemory(Struct, frozen=True, kw_only=True):
    """Why a cell ran out of memory; sizes are ``None`` where the error doesn't state them."""

    requested_bytes: float | None
    free_bytes: float | None
    """What the driver had left."""
    unused_bytes: float | None
    """What torch had reserved, but could not use: cached or fragmented."""
    place: str
    """The line that asked for it: ``cell [3]:2``."""
    code: str
    held_by_exception_bytes: float
    """What only the traceback of the failed cell keeps alive."""
    largest: list[MemoryOwner]
    remedies: list[MemoryRemedy]
    """The one that frees most is first."""


class FreedMemory(Struct, frozen=True, kw_only=True):
    """What clearing the history, the last exception and variables freed."""

    device: str
    cleared: list[str]
    promised_bytes: float
    """What only those kept alive."""
    freed_bytes: float
    """Measured afterwards."""
    cache_bytes: float | None
    """What torch returned to the device."""
