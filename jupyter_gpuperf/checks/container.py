"""Checks of the limits that a container or a service manager sets: GPUs, shared memory, files, CPU and memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import limits
from jupyter_gpuperf.checks.probes.container_flags import (
    SMALL_SHARED_MEMORY,
    hosted_gpu,
    start_commands,
)
from jupyter_gpuperf.checks.probes.gpus import DEVICE_FILES, nvidia_pci_addresses
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import SET_EARLY
from jupyter_gpuperf.messages import Message

UNUSABLE_SHARED_MEMORY: Final = 128 << 20
MIN_OPEN_FILES: Final = 1024
NEARLY_FULL_RATIO: Final = 0.9


@check(
    label="GPU in the container",
    why="A container sees no GPU unless it was started with one.",
    expected="Started with --gpus all, or with some GPUs.",
    link="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html",
    messages=(
        "could not select device driver with capabilities: [[gpu]]",
        "No CUDA GPUs are available",
    ),
)
def _gpu_in_container(machine: Machine) -> Outcome:
    if limits.container_kind(machine) is None:
        return fine("Not a container.")
    if any(map(machine.exists, DEVICE_FILES)):
        return fine("The container has access to the GPU.")
    addresses = nvidia_pci_addresses(machine)
    if not addresses:
        found = "This container has no GPU. Whether the host has one is unknown."
        return not_known(found, fix=hosted_gpu(machine))
    fix = start_commands(machine, "--gpus all")
    needs = "The host needs the NVIDIA Container Toolkit; --runtime=nvidia is its old option."
    return broken(
        "The host has a GPU at {address}, but this container has no access to it.",
        fix=fix,
        then=Message(needs) if " run " in fix else "",  # Docker's and Podman's
        address=addresses[0],
    )


@check(
    label="Shared memory (/dev/shm)",
    why="DataLoader workers pass their batches through it. Docker's default is 64 MiB.",
    expected="1 GiB or more.",
    link="https://pytorch.org/docs/stable/multiprocessing.html",
    messages=(
        "DataLoader worker (pid) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory",
        "unable to open shared memory object",
        "No space left on device",
    ),
)
def _shared_memory(machine: Machine) -> Outcome:
    disk_space = machine.disk_space("/dev/shm")
    if disk_space is None:
        return not_known("There is no /dev/shm.")
    mib, free_mib = disk_space.total_bytes / 2**20, disk_space.free_bytes / 2**20
    fix = "sudo mount -o remount,size=8G /dev/shm"
    if limits.container_kind(machine):
        fix = start_commands(machine, "--shm-size=8g")
    if disk_space.total_bytes < UNUSABLE_SHARED_MEMORY:
        return broken("Only {mib:.0f} MiB: DataLoader workers crash.", fix=fix, mib=mib)
    if disk_space.total_bytes < SMALL_SHARED_MEMORY:
        return suspect("Only {mib:.0f} MiB: several workers may fill it.", fix=fix, mib=mib)
    if disk_space.free_bytes < UNUSABLE_SHARED_MEMORY:
        return suspect(
            "Only {free:.0f} of {mib:.0f} MiB are free.",
            fix="ls -lS /dev/shm | head",
            then="Killed workers leave batches there. When no worker is running, delete them.",
            free=free_mib,
            mib=mib,
        )
    return fine("{free:.1f} of {total:.1f} GiB are free.", free=free_mib / 1024, total=mib / 1024)


def _limit(name: str) -> Callable[[Machine], tuple[float, float] | Outcome]:
    """Return a function for ``@check`` that reads a soft and a hard limit, or returns an outcome if there is none."""

    def limit(machine: Machine) -> tuple[float, float] | Outcome:
        limit = limits.process_limit(machine, name)
        if limit is None:
            return not_known("The limits of the process can't be read.")
        return fine("No limit.") if limit[0] == math.inf else limit

    return limit


@check(
    _limit("Max locked memory"),
    label="Locked memory",
    why="InfiniBand needs locked memory. CUDA's pinned memory does not count.",
    expected="No limit if there is InfiniBand.",
    link="https://docs.docker.com/reference/cli/docker/container/run/",
    messages=("ibv_reg_mr failed", "Cannot allocate memory"),
)
def _locked_memory(machine: Machine, limit: tuple[float, float]) -> Outcome:
    mib = limit[0] / 2**20
    if not machine.listdir("/dev/infiniband"):
        return fine("{mib:.0f} MiB. There is no InfiniBand, so this does not matter.", mib=mib)
    fix = 'echo "* - memlock unlimited" | sudo tee /etc/security/limits.d/memlock.conf'
    if limits.container_kind(machine):
        fix = start_commands(machine, "--ulimit memlock=-1")
    return suspect(
        "{mib:.0f} MiB: NCCL can't register its buffers for InfiniBand.", fix=fix, mib=mib
    )


@check(
    _limit("Max open files"),
    label="Open files",
    why="DataLoader workers need an open file for each tensor they pass.",
    expected="1024 or more.",
    link="https://pytorch.org/docs/stable/multiprocessing.html#sharing-strategies",
    messages=("Too many open files", "received 0 items of ancdata"),
)
def _open_files(_: Machine, limit: tuple[float, float]) -> Outcome:
    soft, hard = limit
    if soft >= MIN_OPEN_FILES:
        return fine("{files:.0f} open files.", files=soft)
    return suspect(
        "Only {files:.0f} open files allowed; each batch from a worker needs some.",
        fix=f"ulimit -n {min(hard, 65536):.0f}",
        then="Run it in the shell that starts Jupyter.",
        files=soft,
    )


@check(
    label="CPU quota",
    why="Python ignores the CPU quota: too many threads use it up at once, then all wait.",
    expected="As many threads as the quota allows.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    messages=(
        "This DataLoader will create 16 worker processes in total. Our suggested max number of worker",
    ),
)
def _cpu_quota(machine: Machine) -> Outcome:
    quota, count = limits.cpu_quota(machine), len(limits.allowed_cpus(machine))
    if quota is None:
        return fine("CPUs: {count}. No quota.", count=count)
    threads = machine.environment.get("OMP_NUM_THREADS")
    if threads or quota >= 0.75 * count:
        return fine(
            "Quota: {quota:g} of {count} CPUs; OMP_NUM_THREADS={threads}."
            if threads
            else "Quota: {quota:g} of {count} CPUs.",
            quota=quota,
            count=count,
            threads=threads,
        )
    return suspect(
        "Quota: {quota:g} CPUs, but Python counts {count}: libraries start too many threads.",
        fix=f"export OMP_NUM_THREADS={max(1, math.floor(quota))}",
        then=SET_EARLY,
        quota=quota,
        count=count,
    )


@check(
    label="Memory limit",
    why="Python sees the host's memory, not the container's limit.",
    expected="Usage well below the limit.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    messages=(
        "DataLoader worker (pid) is killed by signal: Killed",
        "The kernel appears to have died",
    ),
)
def _memory_limit(machine: Machine) -> Outcome:
    total = limits.memory_info(machine).get("MemTotal", 0) / 2**30
    known = limits.memory_limit(machine)
    if known is None:
        return fine("No limit. Host: {total:.1f} GiB." if total else "No limit.", total=total)
    limit, used = known
    values: dict[str, Any] = {"used": used / 2**30, "limit": limit / 2**30, "total": total}
    if used > NEARLY_FULL_RATIO * limit:
        return suspect(
            "{used:.1f} of {limit:.1f} GiB used: at the limit, processes are killed silently.",
            fix="ps -eo pid,rss,comm --sort=-rss | head",
            then="Shut down unneeded notebooks, or reduce the number or the memory of the workers.",
            **values,
        )
    return fine("{used:.1f} of {limit:.1f} GiB used. Host: {total:.1f} GiB.", **values)
