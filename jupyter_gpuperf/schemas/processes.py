"""The processes that use a device."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.readings import MissingReason, Reading


class KernelInfo(Struct, frozen=True, kw_only=True):
    """A kernel of this server to which a process belongs."""

    kernel_id: str
    kernel_name: str
    execution_state: str
    """Jupyter's state of the kernel: ``idle``, ``busy``, ``starting``, …"""
    idle_seconds: float | None
    """Time since the kernel's last activity; ``None`` while it is busy."""
    notebook_path: str | None
    """The path of the notebook, or of another document of the session; ``None`` for a kernel without a session."""
    session_name: str | None


class ListedProcess(Struct, frozen=True, kw_only=True):
    """A process as listed by a source. In a container, ``pid`` may be the host's pid."""

    pid: int
    kinds: tuple[str, ...]
    """``compute``, ``graphics``, or both."""
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    """Mean over the last seconds. Drivers report it in a separate list; ``not_supported`` if the pids of this list
    differ from those of the process list.
    """
    elsewhere: bool = False
    """True for a process of a recording or of another machine, whose pid is meaningless on this machine."""
    host: str | None = None
    """The other machine's name; ``None`` if there is none."""


ListedProcesses = dict[str, "list[ListedProcess] | MissingReason"]
"""Device UUID → its processes, or the reason why they can't be listed."""


class ProcessInfo(Struct, frozen=True, kw_only=True):
    """A process that uses a device."""

    pid: int | None
    """The process's pid in the server's namespace; ``None`` if it is not visible there."""
    driver_pid: int
    """The pid that the driver reported. In a container, it may be the host's pid."""
    kinds: list[Literal["compute", "graphics"]]
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    user: str | None
    command: str | None
    """The program and its script or module, without other arguments, which may contain secrets."""
    started_seconds: float | None
    """Unix time at which the process started."""
    kernel: KernelInfo | None
    """The kernel to which the process belongs: the process itself or one of its ancestors."""
    kernel_found_by: Literal["process_tree", "namespace_pid"] | None
    host: str | None = None
    """The machine on which it runs, if that is another one: two machines may have the same pid."""


class KernelReport(Struct, frozen=True, kw_only=True):
    """The memory that a kernel reports itself, if it can't be matched with one of the driver's processes.

    The kernel is one of the driver's processes, so its memory is already counted there. The report is only shown
    beside them.
    """

    pid: int
    """The kernel's pid in the server's namespace."""
    kernel: KernelInfo
    allocated_bytes: float
    """Memory in tensors, as counted by torch."""
    reserved_bytes: float
    """Memory that torch's allocator has reserved on the device. The driver's figure also includes the CUDA context."""


class DeviceProcesses(Struct, frozen=True, kw_only=True):
    """The processes of one device, or the reason why they can't be listed."""

    processes: list[ProcessInfo]
    reason: MissingReason | None
    reports: list[KernelReport] = []


class Processes(Struct, frozen=True, kw_only=True):
    """Answer of ``GET processes``: device UUID → its processes."""

    time_seconds: float
    devices: dict[str, DeviceProcesses]
