"""Find the CPUs and the memory that this process may really use, within a container's limits.

This module uses only the standard library.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jupyter_gpuperf.cgroup import CGROUP, cpu_quota, tightest_memory
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

MEMINFO: Final = Path("/proc/meminfo")


def cpu_count() -> int:
    """Return the number of CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cpus(cgroup: Path = CGROUP) -> float:
    """Return the number of CPUs that this process may use: the lower of its CPU affinity and the container's quota."""
    quota = cpu_quota(cgroup)
    return cpu_count() if quota is None else min(float(cpu_count()), quota)


def available_memory_bytes(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """Return the memory that is available on the host and in the container, in bytes; ``None`` if unknown."""
    found = (_available_on_host(meminfo), _left_in_cgroup(cgroup))
    return min((value for value in found if value is not None), default=None)


def check_available_memory(needed_bytes: float, *, hint: str) -> None:
    """Raise an error if ``needed_bytes`` exceed 80 % of the available memory.

    Raises
    ------
    BadRequest
        ``not_enough_memory``, with the given hint.
    """
    available_bytes = available_memory_bytes()
    if available_bytes is not None and needed_bytes > 0.8 * available_bytes:
        raise BadRequest(
            "not_enough_memory",
            "This needs about {needed:.1f} GiB of memory; only {free:.1f} GiB are free.",
            hint,
            needed=needed_bytes / 2**30,
            free=available_bytes / 2**30,
        )


def warn_of_workers(workers: int, warn: Callable[[str], None]) -> None:
    """Call ``warn`` with a message if there are more worker processes than CPUs."""
    cpus = usable_cpus()
    if workers > cpus:
        warn(Message("{workers} workers compete for {cpus:g} CPUs.", workers=workers, cpus=cpus))


def shared_memory_free_bytes(path: Path = Path("/dev/shm")) -> int | None:
    """Return the free shared memory in bytes; ``None`` if unknown. DataLoader workers pass batches through it."""
    with contextlib.suppress(OSError, AttributeError):
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize
    return None


def _available_on_host(meminfo: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _left_in_cgroup(cgroup: Path) -> int | None:
    tightest = tightest_memory(cgroup)
    return None if tightest is None else max(0, tightest[0] - tightest[1])
