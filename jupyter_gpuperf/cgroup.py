"""Read the limits and the usage of this process's control group: a container's share of the machine.

This module uses only the standard library. Every function returns ``None`` if the limit does not exist or the system
does not report the value.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
"""The folder where a container sees its own control group: version 2, or the controllers of version 1."""

NO_LIMIT_BYTES: Final = 1 << 60
"""For "no limit", version 1 writes a number near 2**63. A limit of at least this value therefore counts as none."""


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """Return the CPU quota, in CPUs; ``None`` if there is no quota."""
    with contextlib.suppress(OSError, ValueError):  # version 2
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):  # version 1
        quota_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else None
    return None


def cpu_used_seconds(cgroup: Path = CGROUP) -> float | None:
    """Return the CPU time that the group has used so far, in seconds."""
    used_us = _stat(cgroup / "cpu.stat", "usage_usec")  # version 2
    if used_us is not None:
        return used_us / 1e6
    with contextlib.suppress(OSError, ValueError):  # version 1
        return int((cgroup / "cpuacct" / "cpuacct.usage").read_text()) / 1e9
    return None


def cpu_throttled_seconds(cgroup: Path = CGROUP) -> float | None:
    """Return how long the quota has throttled the group's threads so far, in seconds."""
    throttled_us = _stat(cgroup / "cpu.stat", "throttled_usec")  # version 2
    if throttled_us is not None:
        return throttled_us / 1e6
    throttled_ns = _stat(cgroup / "cpu" / "cpu.stat", "throttled_time")  # version 1
    return None if throttled_ns is None else throttled_ns / 1e9


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """Return the group's memory limit in bytes; ``None`` if there is no limit."""
    for path in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # not a number but "max": no limit
            limit_bytes = int((cgroup / path).read_text())
            return limit_bytes if limit_bytes < NO_LIMIT_BYTES else None
    return None


def memory_used_bytes(cgroup: Path = CGROUP) -> int | None:
    """Return the memory that the group uses, in bytes, without cached file pages that the system can reclaim."""
    for used, stat, cached in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            used_bytes = int((cgroup / used).read_text())
            return max(0, used_bytes - int(_stat(cgroup / stat, cached) or 0))
    return None


def _stat(path: Path, key: str) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return float(value)
    return None
