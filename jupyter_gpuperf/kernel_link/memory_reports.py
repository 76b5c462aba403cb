"""Store, in the server, the GPU memory that connected kernels report."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.schemas.kernel_link import MemoryReport


class ReportedMemory(NamedTuple):
    """The memory on a device that a process reports. The pid comes from the operating system, not from the process."""

    pid: int
    device: str
    """UUID of the device."""
    allocated_bytes: float
    reserved_bytes: float


class MemoryReports:
    """Keeps the latest report of each session, and drops it when the kernel disconnects."""

    def __init__(self) -> None:
        self._reports: dict[KernelSession, MemoryReport] = {}

    def take(self, session: KernelSession, report: MemoryReport) -> None:
        """Store a kernel's report in place of its earlier one."""
        if session not in self._reports:
            session.on_close(lambda: self._reports.pop(session, None))
        self._reports[session] = report

    def current(self) -> list[ReportedMemory]:
        """Return the latest reported memory of all connected kernels, one entry per kernel and device."""
        return [
            ReportedMemory(session.pid, uuid, held.allocated_bytes, held.reserved_bytes)
            for session, report in tuple(self._reports.items())
            if session.pid is not None
            for uuid, held in report.devices.items()
        ]
