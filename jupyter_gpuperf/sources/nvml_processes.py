"""List the processes on a device, with their GPU memory and their SM utilization."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jupyter_gpuperf.schemas import ListedProcess, Reading
from jupyter_gpuperf.sources import nvml_errors

RECENT_SECONDS: Final = 3.0
"""Samples of a process's share that are older than this are ignored."""

MOST_PERCENT: Final = 100
"""Higher samples are ignored: drivers return some far above 100 % for processes that have ended."""


def processes_of(nvml: Any, handle: Any) -> list[ListedProcess]:
    """Return the processes that use this device.

    Raises
    ------
    NVMLError
        The list of compute processes is not available.
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
        return  # MIG instances and some vGPUs have no such list


def _memory(process: Any) -> Reading:
    used_bytes = process.usedGpuMemory  # None if Windows manages the GPU's memory (WDDM)
    return "not_supported" if used_bytes is None else float(used_bytes)


def _shares(nvml: Any, handle: Any) -> Mapping[int, float] | None:
    oldest_us = int((time.time() - RECENT_SECONDS) * 1e6)
    for function in ("nvmlDeviceGetProcessesUtilizationInfo", "nvmlDeviceGetProcessUtilization"):
        try:
            samples = getattr(nvml, function)(handle, oldest_us)
        except (nvml.NVMLError, AttributeError) as error:
            if nvml_errors.code_of(error) == nvml_errors.NOT_FOUND:
                return {}  # no process used the GPU in that time
            continue
        # For idle processes, the driver repeats old samples.
        recent = [each for each in samples if each.timeStamp >= oldest_us]
        return {each.pid: float(each.smUtil) for each in recent if each.smUtil <= MOST_PERCENT}
    return None


def _share(pid: int, shares: Mapping[int, float] | None, listed: Mapping[int, object]) -> Reading:
    if shares is None:
        return "not_supported"
    if pid in shares:
        return shares[pid]
    # A process without a sample was idle. But if there are samples of unlisted processes, the two
    # lists use different pids, as may happen in a container, and can't be matched.
    return "not_supported" if set(shares) - set(listed) else 0.0
