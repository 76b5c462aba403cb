"""Find the notebook to which each process on a device belongs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, cast

from msgspec import Struct

from jupyter_gpuperf.kernel_link.memory_reports import ReportedMemory
from jupyter_gpuperf.processes.process_table import ProcessDescription, ProcessTable
from jupyter_gpuperf.schemas import (
    DeviceProcesses,
    KernelInfo,
    KernelReport,
    ListedProcess,
    ListedProcesses,
    MissingReason,
    Processes,
    ProcessInfo,
)

FoundBy = Literal["process_tree", "namespace_pid"]
Kinds = list[Literal["compute", "graphics"]]


class RunningKernel(Struct, frozen=True, kw_only=True):
    """A running kernel of this server.

    Parameters
    ----------
    pid
        The pid of the kernel's process; ``None`` if it runs on another machine.
    """

    info: KernelInfo
    pid: int | None


class Attribution(Struct, frozen=True, kw_only=True):
    """Finds the kernel of each process in the driver's list.

    In a container, the driver may report the host's pids instead of the container's. Even its process list and its
    utilization list may use different pids. In a nested pid namespace, a pid therefore counts as the process with that
    pid in this namespace only if that process visibly has a GPU open. Otherwise the pid is looked up among the outer
    pids that ``/proc`` shows. If it is not found there either, the process is not visible from here. The open files of
    another user's process can't be read, so such a process is matched only outside of containers, where all pids are
    the host's.

    Parameters
    ----------
    reports
        Returns the memory that kernels currently report. A report is listed beside the driver's processes if none of
        them is known to be the kernel's, because a report does not say which of them is the kernel.
    """

    table: ProcessTable
    reports: Callable[[], Sequence[ReportedMemory]] = tuple

    def of(self, listed: ListedProcesses, kernels: Sequence[RunningKernel]) -> Processes:
        """Return all processes of all devices, each with its kernel: the process itself or one of its ancestors."""
        reports = self._reports(kernels)
        devices = {
            uuid: self._device(processes, kernels, reports.get(uuid, []))
            for uuid, processes in listed.items()
        }
        return Processes(time_seconds=time.time(), devices=devices)

    def _device(
        self,
        found: Sequence[ListedProcess] | MissingReason,
        kernels: Sequence[RunningKernel],
        reports: Sequence[KernelReport],
    ) -> DeviceProcesses:
        if isinstance(found, str):
            return DeviceProcesses(processes=[], reason=found, reports=list(reports))
        processes = [self._process(each, kernels) for each in found]
        known = {each.kernel.kernel_id for each in processes if each.kernel}
        unlisted = [each for each in reports if each.kernel.kernel_id not in known]
        return DeviceProcesses(processes=processes, reason=None, reports=unlisted)

    def _reports(self, kernels: Sequence[RunningKernel]) -> dict[str, list[KernelReport]]:
        by_device: dict[str, list[KernelReport]] = {}
        for memory in self.reports():
            kernel, _ = self._kernel_of(memory.pid, kernels)
            if kernel is not None and memory.reserved_bytes > 0:
                report = KernelReport(
                    pid=memory.pid,
                    kernel=kernel,
                    allocated_bytes=memory.allocated_bytes,
                    reserved_bytes=memory.reserved_bytes,
                )
                by_device.setdefault(memory.device, []).append(report)
        return by_device

    def _process(self, listed: ListedProcess, kernels: Sequence[RunningKernel]) -> ProcessInfo:
        pid, translated = (None, False) if listed.elsewhere else self._pid_here(listed.pid)
        kernel, found_by = self._kernel_of(pid, kernels)
        if kernel is not None and translated:
            found_by = "namespace_pid"
        described = ProcessDescription() if pid is None else self.table.describe(pid)
        return ProcessInfo(
            pid=pid,
            driver_pid=listed.pid,
            kinds=cast("Kinds", list(listed.kinds)),
            memory_used_bytes=listed.memory_used_bytes,
            sm_utilization_percent=listed.sm_utilization_percent,
            kernel=kernel,
            kernel_found_by=found_by,
            host=listed.host,
            **described._asdict(),
        )

    def _pid_here(self, driver_pid: int) -> tuple[int | None, bool]:
        if not self.table.is_nested:
            return (driver_pid if self.table.exists(driver_pid) else None), False
        if self.table.uses_gpu(driver_pid):
            return driver_pid, False
        inner = self.table.inner_pid(driver_pid)
        return inner, inner is not None

    def _kernel_of(
        self, pid: int | None, kernels: Sequence[RunningKernel]
    ) -> tuple[KernelInfo | None, FoundBy | None]:
        if pid is None:
            return None, None
        by_pid = {kernel.pid: kernel.info for kernel in kernels}
        for ancestor in self.table.lineage(pid):
            if ancestor in by_pid:
                return by_pid[ancestor], "process_tree"
        # A daemon that detached from its parent and its session still has the kernel's environment.
        name = self.table.session_name(pid)
        named = [kernel.info for kernel in kernels if name and _serves(kernel.info, name)]
        return (named[0], "process_tree") if len(named) == 1 else (None, None)


def _serves(kernel: KernelInfo, session_name: str) -> bool:
    # Jupyter's session name is the notebook's absolute path, which ends with its path on the server.
    path = kernel.notebook_path
    return bool(path) and (session_name == path or session_name.endswith(f"/{path}"))
