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


class TimelineOwner(Struct, frozen=True, kw_only=True):
    """An owner's memory over the time of a recording."""

    kind: str
    """As in :class:`MemoryOwner`; ``freed`` for what was freed during the recording, by the line that made it;
    ``before`` for what was there before, without a name."""
    name: str
    bytes: list[float]
    """One value for each of the timeline's times."""
    peak_bytes: float
    """At the peak of all owners."""


class MemoryTimeline(Struct, frozen=True, kw_only=True):
    """Allocated memory by owner over the time of a recording."""

    device: str
    file: str
    """Where the recording is, for PyTorch's memory viewer."""
    times_seconds: list[float]
    """From the first allocation or release on; for each time, the state with the most memory since the one before."""
    steps_seconds: list[float]
    """When the recorded steps began."""
    allocated_bytes: list[float]
    peak_bytes: float
    peak_seconds: float
    events_count: int
    owners: list[TimelineOwner]
    """The largest at the peak is first."""
    notes: list[str] = []
