"""Who holds a device's memory."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from jupyter_gpuperf.schemas.bounds import Bytes, Name, Ratio, Seconds

Names = Annotated[list[Name], Meta(max_length=1000)]


class MemoryOwner(Struct, frozen=True, kw_only=True):
    """What holds memory."""

    kind: Name
    """``parameter``, ``gradient``, ``optimizer``, ``buffer``, ``activation``, ``batch``, ``variable``, ``exception``,
    ``history``, ``other``, ``workspace``, ``cache``, ``context`` or ``process``."""
    name: Name
    """As the user typed it: ``model``, ``outputs``, ``Out[12]``."""
    bytes: Bytes
    holders: Names
    """The names that keep it alive, the largest first."""


class MemoryReport(Struct, frozen=True, kw_only=True):
    """The memory of a device by owner. What has no meaning for a CPU, or is unknown, is ``None``."""

    device: Name
    allocated_bytes: Bytes
    """In tensors: of the allocator, or, on a CPU, of the tensors found."""
    reserved_bytes: Bytes | None
    free_bytes: Bytes | None
    total_bytes: Bytes | None
    attributed_ratio: Ratio | None
    """The share of the allocated memory that belongs to a tensor that was found."""
    owners: Annotated[list[MemoryOwner], Meta(max_length=1000)]
    largest_free_block_bytes: Bytes | None = None
    """The largest allocation that fits without asking the driver for more."""
    fragmented_bytes: Bytes | None = None
    """Unused memory in segments that are partly used, so that it can't be returned to the device."""
    seconds: Seconds = 0.0
    notes: Names = []


class KernelMemory(MemoryReport, frozen=True, kw_only=True):
    """Answer of ``GET memory``: who holds the memory, as a notebook's kernel found it."""

    kernel: str
    age_seconds: float
    """How long ago the kernel looked."""
    labels: dict[str, str]
    """Kind of owner → how it is called."""


class MemoryRemedy(Struct, frozen=True, kw_only=True):
    """Something that frees memory."""

    action: Name
    bytes: Bytes | None
    """How much it frees; ``None`` if that can't be known beforehand."""


class OutOfMemory(Struct, frozen=True, kw_only=True):
    """Why a cell ran out of memory; sizes are ``None`` where the error doesn't state them."""

    device: Name
    requested_bytes: Bytes | None
    free_bytes: Bytes | None
    """What the driver had left."""
    unused_bytes: Bytes | None
    """What torch had reserved, but could not use: cached or fragmented."""
    place: Name
    """The line that asked for it: ``cell [3]:2``."""
    code: Name
    held_by_exception_bytes: Bytes
    """What only the traceback of the failed cell keeps alive."""
    largest: Annotated[list[MemoryOwner], Meta(max_length=100)]
    remedies: Annotated[list[MemoryRemedy], Meta(max_length=100)]
    """The one that frees most is first."""


class FreeableMemory(Struct, frozen=True, kw_only=True):
    """What clearing the history and the last exception of a notebook would free."""

    device: Name
    cleared: Names
    """What is cleared: ``Out[3]``, ``_``, the last exception, variables."""
    promised_bytes: Bytes
    """What only those keep alive."""


class FreedMemory(FreeableMemory, frozen=True, kw_only=True):
    """What clearing the history, the last exception and variables freed."""

    freed_bytes: float
    """Measured afterwards."""
    cache_bytes: Bytes | None
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


class FreeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST memory/free``."""

    kernel: str
    """The kernel's id."""
