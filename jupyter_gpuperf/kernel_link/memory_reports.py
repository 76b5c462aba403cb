"""What kernels say that they hold, while they are connected."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.schemas.kernel_link import MemoryReport


class ReportedMemory(NamedTuple):
    """What a process says that it holds on a device; its number is the operating system's word, not its own."""

    pid: int
    device: str
    """UUID."""
    allocated_bytes: float
    reserved_bytes: float


class MemoryReports:
    """Keeps each session's newest report, and forgets it when the kernel hangs up."""

    def __init__(self) -> None:
        self._reports: dict[KernelSession, MemoryReport] = {}

    def take(self, session: KernelSession, report: MemoryReport) -> None:
        """Replace what this kernel said before."""
        if session not in self._reports:
            session.on_close(lambda: self._reports.pop(session, None))
        self._reports[session] = report

    def now(self) -> list[ReportedMemory]:
        """Return what is held now, as far as kernels say."""
        return [
            ReportedMemory(session.pid, uuid, held.allocated_bytes, held.reserved_bytes)
            for session, report in tuple(self._reports.items())
            if session.pid is not None
            for uuid, held in report.devices.items()
        ]
