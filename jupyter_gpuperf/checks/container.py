"""Limits that a container, or whatever started this process, sets: GPUs, shared memory, files, CPU and memory."""

from __future__ import annotations

import math
from typing import Final

from jupyter_gpuperf import cgroup
from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import limits
from jupyter_gpuperf.checks.probes.flags import SMALL_SHARED_MEMORY, lines_for
from jupyter_gpuperf.checks.probes.gpus import on_the_bus
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.messages import Message

HOPELESS_SHARED_MEMORY: Final = 128 << 20
FEWEST_FILES: Final = 1024
NEARLY_FULL_RATIO: Final = 0.9


@check(
    label="GPU passed into the container",
    why="A container sees no GPU unless it was started with one.",
    expected="Started with --gpus all, or a part of them.",
    link="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html",
    messages=(
        "could not select device driver with capabilities: [[gpu]]",
        "No CUDA GPUs are available",
    ),
)
def _gpu_in_container(machine: Machine) -> Outcome:
    if limits.container(machine) is None:
        return fine("This is no container.")
    if machine.exists("/dev/nvidiactl") or machine.exists("/dev/dxg"):
        return fine("The devices are passed in.")
    if not on_the_bus(machine):
        return not_known(
            "No GPU was passed into this container; whether the machine around it has one can't be seen from here."
        )
    return broken(
        "The machine around this container has a GPU at {machine}, and it was not passed in.",
        fix=lines_for(machine, "--gpus all"),
        then="The machine needs the NVIDIA Container Toolkit; --runtime=nvidia is its old way.",
        machine=on_the_bus(machine)[0],
    )


@check(
    label="Shared memory (/dev/shm)",
    why="Workers of a DataLoader hand their batches over through it. Docker gives 64 MiB.",
    expected="1 GiB or more.",
    link="https://pytorch.org/docs/stable/multiprocessing.html",
    messages=(
        "DataLoader worker (pid) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory",
        "unable to open shared memory object",
        "No space left on device",
    ),
)
def _shared_memory(machine: Machine) -> Outcome:
    room = machine.room("/dev/shm")
    if room is None:
        return not_known("There is no /dev/shm.")
    mib = room.total_bytes / 2**20
    fix = "sudo mount -o remount,size=8G /dev/shm"
    if limits.container(machine):
        fix = lines_for(machine, "--shm-size=8g")
    if room.total_bytes < HOPELESS_SHARED_MEMORY:
        return broken("{mib:.0f} MiB: a DataLoader with workers dies of it.", fix=fix, mib=mib)
    if room.total_bytes < SMALL_SHARED_MEMORY:
        return suspect(
            "{mib:.0f} MiB: a DataLoader with several workers and large batches fills it.",
            fix=fix,
            mib=mib,
        )
    if room.free_bytes < HOPELESS_SHARED_MEMORY:
        return suspect(
            "{free_bytes:.0f} MiB of {mib:.0f} are free.",
            fix="ls -lS /dev/shm | head",
            then="Workers that were killed leave their batches there; files of theirs can be removed when none runs.",
            free_bytes=room.free_bytes / 2**20,
            mib=mib,
        )
    return fine(
        "{total_bytes:.1f} GiB, {free_bytes:.1f} free.",
        total_bytes=room.total_bytes / 2**30,
        free_bytes=room.free_bytes / 2**30,
    )


@check(
    label="Locked memory",
    why="InfiniBand needs memory that is locked in place. Copies of CUDA from pinned memory do not count.",
    expected="No limit where there is InfiniBand.",
    link="https://docs.docker.com/reference/cli/docker/container/run/",
    messages=("ibv_reg_mr failed", "Cannot allocate memory"),
)
def _locked_memory(machine: Machine) -> Outcome:
    found = limits.limit(machine, "Max locked memory")
    if found is None:
        return not_known("The limits of the process can't be read.")
    soft, _ = found
    if soft == math.inf:
        return fine("No limit.")
    size = f"{soft / 2**20:.0f} MiB"
    if not machine.names("/dev/infiniband"):
        return fine(
            "{size}. It matters for InfiniBand alone, which is not here: pinned memory of "
            "CUDA is not counted.",
            size=size,
        )
    fix = 'echo "* - memlock unlimited" | sudo tee /etc/security/limits.d/memlock.conf'
    if limits.container(machine):
        fix = lines_for(machine, "--ulimit memlock=-1")
    return suspect(
        "{size}, and there is InfiniBand: NCCL can't register its buffers.", fix=fix, size=size
    )


@check(
    label="Open files",
    why="Each worker of a DataLoader holds files for the tensors that it hands over.",
    expected="1024 or more.",
    link="https://pytorch.org/docs/stable/multiprocessing.html#sharing-strategies",
    messages=("Too many open files", "received 0 items of ancdata"),
)
def _open_files(machine: Machine) -> Outcome:
    found = limits.limit(machine, "Max open files")
    if found is None:
        return not_known("The limits of the process can't be read.")
    soft, hard = found
    if soft >= FEWEST_FILES:
        return fine(
            Message("{soft:.0f} open files.", soft=soft) if soft < math.inf else "No limit."
        )
    return suspect(
        "{soft:.0f} open files: each batch that a worker hands over takes some.",
        fix=f"ulimit -n {min(hard, 65536):.0f}",
        then="Type it in the shell that starts Jupyter.",
        soft=soft,
    )


@check(
    label="Processor quota",
    why="A container's quota is not what Python counts: too many threads spend the quota at once, and then all wait.",
    expected="As many threads as the quota allows.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    messages=(
        "This DataLoader will create 16 worker processes in total. Our suggested max number of worker",
    ),
)
def _cpu_quota(machine: Machine) -> Outcome:
    quota, allowed = limits.cpu_quota(machine), len(limits.allowed_cpus(machine))
    if quota is None:
        return fine("{allowed} processors, without a quota.", allowed=allowed)
    if quota >= 0.75 * allowed:
        return fine(
            "{quota:g} processors' worth of time on {allowed}.", quota=quota, allowed=allowed
        )
    if chosen := machine.environment.get("OMP_NUM_THREADS"):
        return fine(
            "{quota:g} processors' worth of time on {allowed}; OMP_NUM_THREADS={chosen}.",
            quota=quota,
            allowed=allowed,
            chosen=chosen,
        )
    return suspect(
        "{quota:g} processors' worth of time, and Python counts {allowed}: torch and "
        "numpy start {allowed} threads, which are held back together.",
        fix=f"export OMP_NUM_THREADS={max(1, math.floor(quota))}",
        then="Set it before Jupyter starts, or in the first cell with %env, before numpy and torch are imported.",
        quota=quota,
        allowed=allowed,
    )


@check(
    label="Memory allowed",
    why="Python sees the machine's memory, not the container's limit.",
    expected="Room below the limit.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    messages=(
        "DataLoader worker (pid) is killed by signal: Killed",
        "The kernel appears to have died",
    ),
)
def _memory_limit(machine: Machine) -> Outcome:
    total = limits.memory_info(machine).get("MemTotal", 0)
    groups = limits.groups(machine)
    sizes = [(cgroup.memory_limit_bytes(each), cgroup.memory_used_bytes(each)) for each in groups]
    known = [(most, used) for most, used in sizes if most is not None and used is not None]
    if not known:
        return fine(
            Message("{total:.1f} GiB, without a limit.", total=total / 2**30)
            if total
            else "No limit."
        )
    most, used = min(known, key=lambda each: each[0] - each[1])
    if used > NEARLY_FULL_RATIO * most:
        return suspect(
            "{used:.1f} of {most:.1f} GiB allowed are used: beyond it, a process is killed "
            "without a word.",
            fix="ps -eo pid,rss,comm --sort=-rss | head",
            then="Shut down notebooks that are not needed, or take fewer or smaller workers.",
            used=used / 2**30,
            most=most / 2**30,
        )
    return fine(
        "{used:.1f} of {most:.1f} GiB allowed are used; the machine has {total:.1f}.",
        used=used / 2**30,
        most=most / 2**30,
        total=total / 2**30,
    )
