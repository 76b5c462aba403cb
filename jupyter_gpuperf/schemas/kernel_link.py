"""Messages between a kernel and its server: JSON, one object per line, with a ``type`` field.

The values of ``type`` must not change: a kernel and its server may have different versions of this package.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from jupyter_gpuperf.schemas import memory
from jupyter_gpuperf.schemas.bounds import Bytes, Count, Name, Path
from jupyter_gpuperf.schemas.cells import CellRan, Footprint
from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.jobs import JobInfo, Scalar
from jupyter_gpuperf.schemas.readings import SocketError
from jupyter_gpuperf.schemas.training import ExplainNow, Steps


class ServerAddress(Struct, frozen=True, kw_only=True):
    """Content of ``gpuperf-<server pid>.json``: the path of the server's socket, its pid and its version."""

    socket: str
    pid: int
    version: str


class RunRequest(Struct, frozen=True, kw_only=True, tag="run", forbid_unknown_fields=True):
    """Request for a benchmark, one per connection at a time. Each change is answered with a :class:`JobUpdate`."""

    benchmark: str
    parameters: dict[str, Any] = {}
    device: str | None = None
    """UUID or index of the device; ``None`` leaves the choice to the server."""
    interpreter: str | None = None
    """Path of the kernel's Python; ``None`` for the server's own."""
    environment: dict[str, str] = {}
    """Environment variables of the kernel. The server uses those that a worker needs, and ignores the others."""


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Cancel the job of this connection, whether the server or the kernel runs it. Without a job, it has no effect."""


class JobReport(Struct, frozen=True, kw_only=True, tag="told", forbid_unknown_fields=True):
    """The current state of a job that the kernel runs itself, one job per connection."""

    job: JobInfo


class TorchMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory on a device, as counted by torch's allocator."""

    allocated_bytes: Bytes
    reserved_bytes: Bytes


class MemoryReport(Struct, frozen=True, kw_only=True, tag="holding", forbid_unknown_fields=True):
    """All device memory of the kernel; valid until its next report, or until the kernel disconnects."""

    devices: Annotated[dict[Name, TorchMemory], Meta(max_length=256)] = {}
    """Device UUID → the kernel's memory on this device."""


class Attached(Struct, frozen=True, kw_only=True, tag="attached"):
    """First message of a kernel that answers :class:`MemoryRequest`."""

    kernel_id: Name
    notebook_path: Path | None


class MemoryAnswer(Struct, frozen=True, kw_only=True, tag="memory-answer"):
    """Answer to a :class:`MemoryRequest`: what was asked for, or an error."""

    number: Count
    owners: memory.MemoryReport | None = None
    freeable: memory.FreeableMemory | None = None
    freed: memory.FreedMemory | None = None
    error: ErrorInfo | None = None


class MemoryFailure(Struct, frozen=True, kw_only=True, tag="memory-failure"):
    """A cell of the kernel ran out of memory; valid until the next one, or until the kernel disconnects."""

    device_uuid: Name | None
    failure: memory.OutOfMemory | None
    """``None`` when the memory came free."""


class MemoryRequest(Struct, frozen=True, kw_only=True, tag="memory-request"):
    """Request to a kernel: who holds its memory, what freeing it would clear, or to free it."""

    number: int
    action: Literal["owners", "freeable", "free"]


class JobUpdate(JobInfo, frozen=True, kw_only=True, tag="job"):
    """The current state of the requested job."""


class ScriptStarted(Struct, frozen=True, kw_only=True, tag="script"):
    """First message of a process of ``jupyter gpuperf run``, to the run alone."""

    environment: Annotated[dict[Name, Scalar | None], Meta(max_length=64)]
    """The versions of its packages, as in the result of a benchmark."""


FromKernel = (
    RunRequest
    | Cancel
    | JobReport
    | MemoryReport
    | Steps
    | CellRan
    | Attached
    | MemoryAnswer
    | MemoryFailure
    | ScriptStarted
)
FromServer = JobUpdate | SocketError | Cancel | Footprint | ExplainNow | MemoryRequest
