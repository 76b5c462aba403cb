"""What a kernel and its server say to each other: JSON, one object a line, told apart by ``type``.

The tags stay as they are: a kernel and its server may hold different versions of this package.
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
    """Ask for a benchmark; once per connection at a time. Answered with a :class:`JobUpdate` at each change."""

    benchmark: str
    parameters: dict[str, Any] = {}
    device: str | None = None
    """UUID or index; ``None`` leaves the choice to the server."""
    interpreter: str | None = None
    """The kernel's Python; the server's own where it is ``None``."""
    environment: dict[str, str] = {}
    """Variables of the kernel; the server takes those that a worker needs, and ignores the rest."""


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Cancel this connection's job, whoever runs it; without one it means nothing."""


class JobReport(Struct, frozen=True, kw_only=True, tag="told", forbid_unknown_fields=True):
    """A job that the kernel runs itself, as it is now; one per connection."""

    job: JobInfo


class TorchMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory on a device, as torch's allocator counts it."""

    allocated_bytes: float
    reserved_bytes: float


class MemoryReport(Struct, frozen=True, kw_only=True, tag="holding", forbid_unknown_fields=True):
    """All that the kernel holds now; stands until the next one, or until it hangs up."""

    devices: dict[str, TorchMemory] = {}
    """Device UUID → what is held there."""


class JobUpdate(JobInfo, frozen=True, kw_only=True, tag="job"):
    """The job that was asked for, as it is now."""


FromKernel = RunRequest | Cancel | JobReport | MemoryReport | Steps | CellRan
FromServer = JobUpdate | SocketError | Cancel | Footprint | ExplainNow
