"""Report the GPU memory of this kernel; needed in containers, where the driver's pids don't identify the kernel.

A thread reads torch's counters every few seconds once the notebook has used CUDA, without accessing the device. It
holds none of this package's locks, so workers can be forked at any time.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.reporting_thread import ReportingThread
from jupyter_gpuperf.measure.device import started_cuda, uuid_of
from jupyter_gpuperf.schemas.kernel_link import MemoryReport, TorchMemory

POLL_SECONDS: Final = 5.0


@functools.cache
def start_memory_reporter() -> None:
    """Start reporting; a second call in the same process does nothing."""
    MemoryReporter().start()


def memory_report(torch: Any) -> MemoryReport:
    """Return the memory that torch has reserved on each device; empty if torch has not used CUDA yet.

    Devices whose UUID torch does not report are left out.

    Parameters
    ----------
    torch
        The torch module; ``None`` if the notebook has not imported it.
    """
    cuda = started_cuda(torch)
    if cuda is None:
        return MemoryReport()
    devices = {}
    for index in range(cuda.device_count()):
        reserved_bytes = float(cuda.memory_reserved(index))
        if reserved_bytes and (uuid := uuid_of(torch, index)) is not None:
            devices[uuid] = TorchMemory(
                allocated_bytes=float(cuda.memory_allocated(index)), reserved_bytes=reserved_bytes
            )
    return MemoryReport(devices=devices)


class MemoryReporter(ReportingThread):
    """Reports the memory when it has changed, and once more after each reconnect."""

    def __init__(
        self,
        link: ServerLink | None = None,
        *,
        memory: Callable[[], MemoryReport] = lambda: memory_report(sys.modules.get("torch")),
        interval_seconds: float = POLL_SECONDS,
    ) -> None:
        super().__init__("gpuperf-memory", link or ServerLink(), interval_seconds)
        self._memory = memory
        self._reported = MemoryReport()

    def report_once(self) -> None:
        """Report the memory, unless the server already knows it."""
        self.link.receive()  # updates `link.connected`
        if not self.link.connected:
            self._reported = MemoryReport()
        report = self._memory()
        if report != self._reported and self.link.send(report):
            self._reported = report
