"""Read the limits and the usage of this process's control group: a container's share of the machine.

This module uses only the standard library. Every function returns ``None`` if the limit does not exist or the system
does not report the value.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
"""Where control groups are mounted: version 2, or a folder for each controller of version 1."""
OWN: Final = Path("/proc/self/cgroup")
"""The file that names this process's control groups. In a container, ``/`` usually is its own."""

NO_LIMIT_BYTES: Final = 1 << 60
"""For "no limit", version 1 writes a number near 2**63. A limit of at least this value therefore counts as none."""


def cpu_quota(top: Path = CGROUP, own: Path = OWN) -> float | None:
    """Return the smallest CPU quota of the process's group and its ancestors, in CPUs; ``None`` if there is none."""
    quotas = (_cpu_quota(each) for each in _folders("cpu", top, own))
    return min((quota for quota in quotas if quota), default=None)


def _cpu_quota(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # version 2; "max": no quota
        quota, period = (folder / "cpu.max").read_text().split()
        return max(0.0, int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # version 1; -1: no quota
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        return max(0.0, quota_us / int((folder / "cpu.cfs_period_us").read_text()))
    return None


def cpu_used_seconds(top: Path = CGROUP, own: Path = OWN) -> float | None:
    """Return the CPU time that the group has used so far, in seconds."""
    for folder in _folders("cpu", top, own):
        used_us = _stat(folder / "cpu.stat", "usage_usec")  # version 2
        if used_us is not None:
            return used_us / 1e6
    for folder in _folders("cpuacct", top, own):
        with contextlib.suppress(OSError, ValueError):  # version 1
            return int((folder / "cpuacct.usage").read_text()) / 1e9
    return None


def cpu_throttled_seconds(top: Path = CGROUP, own: Path = OWN) -> float | None:
    """Return how long the quota has throttled the group's threads so far, in seconds."""
    for folder in _folders("cpu", top, own):
        for name, per_second in (("throttled_usec", 1e6), ("throttled_time", 1e9)):
            throttled = _stat(folder / "cpu.stat", name)
            if throttled is not None:
                return throttled / per_second
    return None


def memory_limit_bytes(top: Path = CGROUP, own: Path = OWN) -> int | None:
    """Return the smallest memory limit of the group and its ancestors in bytes; ``None`` if there is no limit."""
    limits = (_memory_limit(each) for each in _folders("memory", top, own))
    return min((limit for limit in limits if limit is not None), default=None)


def memory_used_bytes(top: Path = CGROUP, own: Path = OWN) -> int | None:
    """Return the memory that counts towards the limit, in bytes, without file pages that the system can reclaim."""
    tightest = tightest_memory(top, own)
    if tightest is not None:
        return tightest[1]
    used = (_memory_used(each) for each in _folders("memory", top, own))
    return next((each for each in used if each is not None), None)


def tightest_memory(top: Path = CGROUP, own: Path = OWN) -> tuple[int, int] | None:
    """Return limit and used memory of the group that has the least left, among the process's and its ancestors."""
    sizes = ((_memory_limit(each), _memory_used(each)) for each in _folders("memory", top, own))
    known = ((limit, used) for limit, used in sizes if limit is not None and used is not None)
    return min(known, key=lambda each: each[0] - each[1], default=None)


def _memory_limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # not a number but "max": no limit
            limit_bytes = int((folder / name).read_text())
            return limit_bytes if limit_bytes < NO_LIMIT_BYTES else None
    return None


def _memory_used(folder: Path) -> int | None:
    for used, cached in (
        ("memory.current", "inactive_file"),
        ("memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            used_bytes = int((folder / used).read_text())
            return max(0, used_bytes - int(_stat(folder / "memory.stat", cached) or 0))
    return None


def _folders(controller: str, top: Path, own: Path) -> list[Path]:
    """Return the folders of the process's group and its ancestors, innermost first, of both versions."""
    groups = {top: "/", top / controller: "/"}
    with contextlib.suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                groups[top] = path
            elif controller in controllers.split(","):  # usually linked to by each of its names
                base = top / controller
                groups[base if base.exists() else top / controllers] = path
    found = [
        folder
        for base, path in groups.items()
        for folder in (base / path.strip("/"), *(base / path.strip("/")).parents)
        if folder == base or base in folder.parents
    ]
    return [each for each in found if each.exists()]


def _stat(path: Path, key: str) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return float(value)
    return None
