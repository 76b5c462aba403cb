"""Who uses a device."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.readings import MissingReason, Reading


class KernelInfo(Struct, frozen=True, kw_only=True):
    """A kernel of this server that a process belongs to."""

    kernel_id: str
    kernel_name: str
    execution_state: str
    """``idle``, ``busy``, ``starting``, … as Jupyter says."""
    idle_seconds: float | None
    """Time since the kernel last did something; ``None`` while it is busy."""
    notebook_path: str | None
    """The notebook, or whatever has the session; ``None`` for a kernel without a session."""
    session_name: str | None


class ListedProcess(Struct, frozen=True, kw_only=True):
    """A process as a source lists it; in a container ``pid`` may be the host's number."""

    pid: int
    kinds: tuple[str, ...]
    """``compute``, ``graphics``, or both."""
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    """Of the last seconds. Drivers have a list of their own for it: where the two lists
    number processes differently, ``not_supported``."""
    elsewhere: bool = False
    """True for one of a recording or of another machine: its number means nothing on this one."""


ListedProcesses = dict[str, "list[ListedProcess] | MissingReason"]
"""Device UUID → its processes, or why they can't be listed."""


class ProcessInfo(Struct, frozen=True, kw_only=True):
    """A process that uses a device."""

    pid: int | None
    """Its number in this server's namespace; ``None`` when it can't be seen from here."""
    driver_pid: int
    """The number that the driver gave: in a container it may be the host's."""
    kinds: list[Literal["compute", "graphics"]]
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    user: str | None
    command: str | None
    started_seconds: float | None
    """Unix time."""
    kernel: KernelInfo | None
    """The kernel that it is, or descends from."""
    kernel_found_by: Literal["process_tree", "namespace_pid"] | None


class KernelReport(Struct, frozen=True, kw_only=True):
    """What a notebook says that it holds on a device, where none of the driver's processes is known to be its.

    One of the driver's processes is this one as well; which, nothing tells. So its memory counts once,
    there, and this is shown beside it.
    """

    pid: int
    """The kernel's process in this server's namespace."""
    kernel: KernelInfo
    allocated_bytes: float
    """In tensors, as torch counts."""
    reserved_bytes: float
    """Taken from the device by torch's allocator; the driver counts a context on top."""


class DeviceProcesses(Struct, frozen=True, kw_only=True):
    """The processes of one device, or why they can't be listed."""

    processes: list[ProcessInfo]
    reason: MissingReason | None
    reports: list[KernelReport] = []


class Processes(Struct, frozen=True, kw_only=True):
    """Answer of ``GET processes``: device UUID → its processes."""

    time_seconds: float
    devices: dict[str, DeviceProcesses]
