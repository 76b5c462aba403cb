"""Resources that workers may use on this machine: CPUs, memory, shared memory, open files. Standard library only."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_gpuperf.cgroup import CGROUP, cpu_quota, memory_limit_bytes
from jupyter_gpuperf.measure import resources

SHARED_MEMORY: Final = Path("/dev/shm")
NO_LIMIT: Final = 1 << 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The resource limits; ``None`` where there is no limit or it is unknown.

    Attributes
    ----------
    cpus
        CPUs available to this process, after the quota and shared with the other ranks of this host.
    seen_cpus
        CPUs in ``os.sched_getaffinity``, from which common recipes derive the number of workers.
    """

    cpus: float
    seen_cpus: int
    quota_cpus: float | None
    local_ranks: int
    memory_bytes: int | None
    memory_limit_bytes: int | None
    shared_memory_bytes: int | None
    shared_memory_total_bytes: int | None
    open_files: int | None
    locked_memory_bytes: int | None

    @property
    def has_quota(self) -> bool:
        """Whether a quota allows fewer CPUs than are visible."""
        return self.quota_cpus is not None and self.quota_cpus < self.seen_cpus


def current_budget(
    environment: Mapping[str, str] = os.environ,
    cgroup: Path = CGROUP,
    shared_memory: Path = SHARED_MEMORY,
) -> Budget:
    """Return the resource limits of this process."""
    ranks = _local_ranks(environment)
    files, locked = _process_limits()
    return Budget(
        cpus=resources.usable_cpus(cgroup) / ranks,
        seen_cpus=resources.cpu_count(),
        quota_cpus=cpu_quota(cgroup),
        local_ranks=ranks,
        memory_bytes=resources.available_memory_bytes(cgroup),
        memory_limit_bytes=memory_limit_bytes(cgroup),
        shared_memory_bytes=resources.shared_memory_free_bytes(shared_memory),
        shared_memory_total_bytes=_total_bytes(shared_memory),
        open_files=files,
        locked_memory_bytes=locked,
    )


def gib(count: float) -> str:
    """Return a number of bytes as text in GiB or MiB."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**28 else f"{count / 2**20:.0f} MiB"


def _local_ranks(environment: Mapping[str, str]) -> int:
    """Return how many training processes share this host, from ``LOCAL_WORLD_SIZE`` (set by torchrun and similar)."""
    with contextlib.suppress(ValueError):
        return max(1, int(environment.get("LOCAL_WORLD_SIZE", "1")))
    return 1


def _process_limits() -> tuple[int | None, int | None]:
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None, None
    found = [
        resource.getrlimit(each)[0] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK)
    ]
    files, locked = (None if each < 0 or each > NO_LIMIT else each for each in found)
    return files, locked


def _total_bytes(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).total
    return None
