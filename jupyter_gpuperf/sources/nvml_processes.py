"""List the processes on a device, with their GPU memory and their SM utilization."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jupyter_gpuperf.schemas import ListedProcess, Reading
from jupyter_gpuperf.sources import nvml_errors

RECENT_SECONDS: Final = 3.0
"""Samples of a process's share that are older than this are ignored."""

LARGEST_BYTES: Final = 1 << 62
"""Some drivers return numbers near 2**64 for "not known"."""

LISTS: Final = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
}

UNKNOWN_PIDS: Final = (0, 0xFFFFFFFF)
"""What drivers list for processes whose pid they don't know, as in some containers and on WSL."""

MOST_PERCENT: Final = 100
"""Higher samples are ignored: drivers return some far above 100 % for processes that have ended."""


def processes_of(nvml: Any, handle: Any) -> list[ListedProcess]:
    """Return the processes that use this device.

    Raises
    ------
    NVMLError
        No list of processes is available.
    """
    lists = _lists(nvml, handle)
    pids = dict.fromkeys(pid for listed in lists.values() for pid in listed)
    shares = _shares(nvml, handle)
    return [
        ListedProcess(
            pid=pid,
            kinds=tuple(sorted(kind for kind, listed in lists.items() if pid in listed)),
            # A process in both lists has the same memory in both.
            memory_used_bytes=_memory(*(listed[pid] for listed in lists.values() if pid in listed)),
            sm_utilization_percent=_share(pid, shares, pids),
        )
        for pid in pids
    ]


def _lists(nvml: Any, handle: Any) -> dict[str, dict[int, float | None]]:
    """Return each kind's processes: pid → memory in bytes, ``None`` if it is unknown."""
    lists: dict[str, dict[int, float | None]] = {}
    failure: Exception | None = None
    for kind, function in LISTS.items():
        try:
            lists[kind] = _memory_by_pid(_listed(nvml, function, handle))
        except Exception as error:  # noqa: BLE001  (MIG instances and some vGPUs lack one list)
            failure = failure or error
    if failure is not None and not lists:
        raise failure
    return lists


def _listed(nvml: Any, function: str, handle: Any) -> list[Any]:
    try:
        return list(getattr(nvml, function)(handle))
    except Exception as error:  # pynvml raises several unrelated types for old drivers
        if not nvml_errors.is_too_old(error):
            raise
        return list(getattr(nvml, f"{function}_v2")(handle))  # before driver 510


def _memory_by_pid(listed: Iterable[Any]) -> dict[int, float | None]:
    used: dict[int, float | None] = {}
    for each in listed:
        # A pid is listed once for each MIG instance; processes that are not visible here may share one.
        memory = each.usedGpuMemory  # None if Windows manages the GPU's memory (WDDM)
        known = memory is not None and 0 <= memory < LARGEST_BYTES
        before = used.setdefault(each.pid, None)
        used[each.pid] = (before or 0.0) + memory if known else before
    return used


def _memory(*used_bytes: float | None) -> Reading:
    return max((float(each) for each in used_bytes if each is not None), default="not_supported")


def _shares(nvml: Any, handle: Any) -> Mapping[int, float] | None:
    oldest_us = int((time.time() - RECENT_SECONDS) * 1e6)
    for function in ("nvmlDeviceGetProcessesUtilizationInfo", "nvmlDeviceGetProcessUtilization"):
        try:
            samples = list(getattr(nvml, function)(handle, oldest_us))
        except Exception as error:  # noqa: BLE001  (the processes are known without it)
            if nvml_errors.code_of(error) == nvml_errors.NOT_FOUND:
                return {}  # no process used the GPU in that time
            continue
        # For idle processes, the driver repeats old samples.
        recent = [each for each in samples if each.timeStamp >= oldest_us]
        return {each.pid: float(each.smUtil) for each in recent if each.smUtil <= MOST_PERCENT}
    return None


def _share(pid: int, shares: Mapping[int, float] | None, listed: Mapping[int, object]) -> Reading:
    if shares is None or pid in UNKNOWN_PIDS:
        return "not_supported"
    if pid in shares:
        return shares[pid]
    # A process without a sample was idle. But if there are samples of unlisted processes, the two
    # lists use different pids, as may happen in a container, and can't be matched.
    return "not_supported" if set(shares) - set(listed) else 0.0
