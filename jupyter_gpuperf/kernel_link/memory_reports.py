"""The memory that connected kernels report to hold."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.schemas.kernel_link import MemoryReport


class ReportedMemory(NamedTuple):
    """The memory that a process reports to hold on a device. The operating system gives its pid, not the process."""

    pid: int
    device: str
    """UUID of the device."""
    allocated_bytes: float
    reserved_bytes: float


class MemoryReports:
    """Keeps each session's latest report, and forgets it when the kernel disconnects."""

    def __init__(self) -> None:
        self._reports: dict[KernelSession, MemoryReport] = {}

    def take(self, session: KernelSession, report: MemoryReport) -> None:
        """Replace this kernel's earlier report."""
        if session not in self._reports:
            session.on_close(lambda: self._reports.pop(session, None))
        self._reports[session] = report

    def now(self) -> list[ReportedMemory]:
        """Return the memory held now, as reported by kernels."""
        return [
            ReportedMemory(session.pid, uuid, held.allocated_bytes, held.reserved_bytes)
            for session, report in tuple(self._reports.items())
            if session.pid is not None
            for uuid, held in report.devices.items()
        ]
