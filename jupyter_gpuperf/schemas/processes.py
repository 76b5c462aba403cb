"""The processes on a device."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.readings import MissingReason, Reading


class KernelInfo(Struct, frozen=True, kw_only=True):
    """A kernel of this server that a process belongs to."""

    kernel_id: str
    kernel_name: str
    execution_state: str
    """``idle``, ``busy``, ``starting``, …, as in Jupyter."""
    idle_seconds: float | None
    """Time since the kernel's last activity; ``None`` while it is busy."""
    notebook_path: str | None
    """The notebook, or whatever owns the session; ``None`` for a kernel without a session."""
    session_name: str | None


class ListedProcess(Struct, frozen=True, kw_only=True):
    """A process as listed by a source; in a container ``pid`` may be the host's number."""

    pid: int
    kinds: tuple[str, ...]
    """``compute``, ``graphics``, or both."""
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    """Over the last seconds. Drivers use a separate list for it: if the two lists
    number processes differently, ``not_supported``.
    """
    elsewhere: bool = False
    """True for a process of a recording or of another machine: its number means nothing on this one."""


ListedProcesses = dict[str, "list[ListedProcess] | MissingReason"]
"""Device UUID → its processes, or the reason why they can't be listed."""


class ProcessInfo(Struct, frozen=True, kw_only=True):
    """A process that uses a device."""

    pid: int | None
    """Its pid in this server's namespace; ``None`` if it is not visible from here."""
    driver_pid: int
    """The pid that the driver reported: in a container it may be the host's."""
    kinds: list[Literal["compute", "graphics"]]
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    user: str | None
    command: str | None
    started_seconds: float | None
    """Unix time."""
    kernel: KernelInfo | None
    """The kernel that this process is, or descends from."""
    kernel_found_by: Literal["process_tree", "namespace_pid"] | None


class KernelReport(Struct, frozen=True, kw_only=True):
    """A notebook's own report of the memory it holds, if none of the driver's processes is known to be its.

    One of the driver's processes is also this one, but it is unknown which. So its memory is counted only
    there, and this is shown beside it.
    """

    pid: int
    """The kernel's pid in this server's namespace."""
    kernel: KernelInfo
    allocated_bytes: float
    """Memory in tensors, as counted by torch."""
    reserved_bytes: float
    """Memory that torch's allocator took from the device; the driver's figure also includes a context."""


class DeviceProcesses(Struct, frozen=True, kw_only=True):
    """The processes of one device, or the reason why they can't be listed."""

    processes: list[ProcessInfo]
    reason: MissingReason | None
    reports: list[KernelReport] = []


class Processes(Struct, frozen=True, kw_only=True):
    """Answer of ``GET processes``: device UUID → its processes."""

    time_seconds: float
    devices: dict[str, DeviceProcesses]
