"""The processes on a device, as the driver lists them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jupyter_gpuperf.schemas import ListedProcess, Reading
from jupyter_gpuperf.sources import nvml_errors

RECENT_SECONDS: Final = 3.0
"""Older samples of a process's share say nothing about now."""

MOST_PERCENT: Final = 100
"""Drivers return samples far above it for processes that have ended."""


def processes_of(nvml: Any, handle: Any) -> list[ListedProcess]:
    """Return the processes that hold this device.

    Raises
    ------
    NVMLError
        Even the list of computing processes is not available.
    """
    found: dict[int, tuple[set[str], Reading]] = {}
    for kind, listed in _lists(nvml, handle):
        for process in listed:
            kinds, _ = found.setdefault(process.pid, (set(), _memory(process)))
            kinds.add(kind)
    shares = _shares(nvml, handle)
    return [
        ListedProcess(
            pid=pid,
            kinds=tuple(sorted(kinds)),
            memory_used_bytes=memory,
            sm_utilization_percent=_share(pid, shares, found),
        )
        for pid, (kinds, memory) in found.items()
    ]


def _lists(nvml: Any, handle: Any) -> Iterable[tuple[str, list[Any]]]:
    yield "compute", nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    try:
        yield "graphics", nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
    except nvml.NVMLError:
        return  # MIG and some vGPUs have no such list


def _memory(process: Any) -> Reading:
    used_bytes = process.usedGpuMemory  # None with Windows' own memory manager
    return "not_supported" if used_bytes is None else float(used_bytes)


def _shares(nvml: Any, handle: Any) -> Mapping[int, float] | None:
    oldest_us = int((time.time() - RECENT_SECONDS) * 1e6)
    for function in ("nvmlDeviceGetProcessesUtilizationInfo", "nvmlDeviceGetProcessUtilization"):
        try:
            samples = getattr(nvml, function)(handle, oldest_us)
        except (nvml.NVMLError, AttributeError) as error:
            if nvml_errors.code_of(error) == nvml_errors.NOT_FOUND:
                return {}  # no process worked in that time
            continue
        # The driver repeats old samples for idle processes.
        recent = [each for each in samples if each.timeStamp >= oldest_us]
        return {each.pid: float(each.smUtil) for each in recent if each.smUtil <= MOST_PERCENT}
    return None


def _share(pid: int, shares: Mapping[int, float] | None, listed: Mapping[int, object]) -> Reading:
    if shares is None:
        return "not_supported"
    if pid in shares:
        return shares[pid]
    # In a container the two lists may use different pids: then neither says anything about the other.
    # Otherwise, a process without a sample was idle.
    return "not_supported" if set(shares) - set(listed) else 0.0
