"""Messages between a kernel and its server: JSON, one object per line, with the tag ``type``.

The tags must not change: a kernel and its server may have different versions of this package.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from jupyter_gpuperf.schemas.jobs import JobInfo
from jupyter_gpuperf.schemas.readings import SocketError
from jupyter_gpuperf.schemas.training import CellRan, ExplainNow, Footprint, Steps


class ServerAddress(Struct, frozen=True, kw_only=True):
    """Content of ``gpuperf-<server pid>.json``."""

    socket: str
    pid: int
    version: str


class RunRequest(Struct, frozen=True, kw_only=True, tag="run", forbid_unknown_fields=True):
    """Request a benchmark; one per connection at a time. Answered with a :class:`JobUpdate` at each change."""

    benchmark: str
    parameters: dict[str, Any] = {}
    device: str | None = None
    """UUID or index; ``None`` leaves the choice to the server."""
    interpreter: str | None = None
    """The kernel's Python; ``None`` for the server's own."""
    environment: dict[str, str] = {}
    """Variables of the kernel; the server uses those that a worker needs, and ignores the others."""


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Cancel this connection's job, whoever runs it; has no effect without a job."""


class JobReport(Struct, frozen=True, kw_only=True, tag="told", forbid_unknown_fields=True):
    """The current state of a job that the kernel runs itself; one per connection."""

    job: JobInfo


class TorchMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory on a device, as counted by torch's allocator."""

    allocated_bytes: float
    reserved_bytes: float


class MemoryReport(Struct, frozen=True, kw_only=True, tag="holding", forbid_unknown_fields=True):
    """All memory that the kernel holds now; valid until the next report, or until the kernel disconnects."""

    devices: dict[str, TorchMemory] = {}
    """Device UUID → the memory held there."""


class JobUpdate(JobInfo, frozen=True, kw_only=True, tag="job"):
    """The current state of the requested job."""


FromKernel = RunRequest | Cancel | JobReport | MemoryReport | Steps | CellRan
FromServer = JobUpdate | SocketError | Cancel | Footprint | ExplainNow
