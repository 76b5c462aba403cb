"""Reports what this kernel holds on its GPUs, for containers, where the driver's process numbers don't say.

A thread looks every few seconds at torch's own counters, only once the notebook has used CUDA, and without
touching the device. It holds no lock of ours, so that workers can be forked at any time.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.reporting_thread import ReportingThread
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.schemas.kernel_link import MemoryReport, TorchMemory

LOOK_SECONDS: Final = 5.0


@functools.cache
def start_memory_reporter() -> None:
    """Start reporting, once per process."""
    MemoryReporter().start()


def memory_report(torch: Any) -> MemoryReport:  # the module, if the notebook imported it
    """Return what torch holds on each device; nothing where it has not used CUDA yet.

    Devices whose UUID this torch does not tell are left out.
    """
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
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
    """Reports when what is held has changed, and again to a server that came back."""

    def __init__(
        self,
        link: ServerLink | None = None,
        *,
        memory: Callable[[], MemoryReport] = lambda: memory_report(sys.modules.get("torch")),
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        super().__init__("gpuperf-memory", link or ServerLink(), look_seconds)
        self._memory = memory
        self._reported = MemoryReport()

    def look(self) -> None:
        """Report what is held, where the server does not know it."""
        self.link.receive()  # shows whether it has hung up
        if not self.link.connected:
            self._reported = MemoryReport()
        report = self._memory()
        if report != self._reported and self.link.send(report):
            self._reported = report
