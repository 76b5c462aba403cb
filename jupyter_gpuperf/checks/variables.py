"""Checks of environment variables that slow torch down, and of the caches of compiled code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.installed import versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.mounts import NETWORK, mount_of
from jupyter_gpuperf.checks.probes.unset import unset
from jupyter_gpuperf.messages import Message

OFF: Final = ("", "0", "false", "off", "no")
CHATTY: Final = {
    "NCCL_DEBUG": ("INFO", "TRACE"),
    "TORCH_DISTRIBUTED_DEBUG": ("DETAIL",),
    "TORCH_CPP_LOG_LEVEL": ("INFO",),
}
SWITCHES: Final = (
    "TORCH_USE_CUDA_DSA",
    "TORCH_SHOW_CPP_STACKTRACES",
    "CUDA_DEVICE_WAITS_ON_EXCEPTION",
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
)
ALLOCATORS: Final = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
ALLOCATOR_OPTIONS: Final = (
    "backend",
    "max_split_size_mb",
    "max_non_split_rounding_mb",
    "roundup_power2_divisions",
    "garbage_collection_threshold",
    "expandable_segments",
    "pinned_use_cuda_host_register",
    "pinned_num_register_threads",
    "pinned_use_background_threads",
    "release_lock_on_cudamalloc",
    "release_lock_on_hipmalloc",
    "pinned_reserve_segment_size_mb",
    "graph_capture_record_stream_reuse",
    "per_process_memory_fraction",
    "throw_on_cudamalloc_oom",
)
SMALL_BYTES: Final = 1 << 30


CUDA_VARIABLES: Final = "https://pytorch.org/docs/stable/cuda_environment_variables.html"


def is_on(machine: Machine, name: str) -> bool:
    """Return whether a variable is set to a value that means yes."""
    return machine.environment.get(name, "").strip().lower() not in OFF


@check(
    label="CUDA_LAUNCH_BLOCKING",
    why="It makes every kernel wait for the one before to end: right for finding an error, slow for all else.",
    expected="Not set.",
    link=CUDA_VARIABLES,
    messages=("For debugging consider passing CUDA_LAUNCH_BLOCKING=1",),
)
def _launch_blocking(machine: Machine) -> Outcome:
    if not is_on(machine, "CUDA_LAUNCH_BLOCKING"):
        return fine("Off.")
    return broken(
        "CUDA_LAUNCH_BLOCKING is on: Python waits for each kernel, and the GPU waits for Python.",
        **unset(machine, "CUDA_LAUNCH_BLOCKING"),
    )


@check(
    label="Variables for debugging",
    why="They check or print in every step, and are easily forgotten.",
    expected="None.",
    link=CUDA_VARIABLES,
    messages=(
        "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions",
        "NCCL INFO",
    ),
)
def _debugging_variables(machine: Machine) -> Outcome:
    values = machine.environment
    left = [name for name in SWITCHES if is_on(machine, name)]
    left += [name for name in CHATTY if values.get(name, "").upper() in CHATTY[name]]
    if not left:
        return fine("None is set.")
    return suspect(
        Message("Set for debugging: {left}.", left=", ".join(left)),
        **unset(machine, *left),
    )


@check(
    label="Memory allocator",
    why="torch keeps freed memory for the next tensor. A wrong option is refused; without the cache every step waits for the driver.",
    expected="The defaults, or options that torch knows.",
    link="https://pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-cuda-alloc-conf",
    messages=(
        "Unrecognized CachingAllocator option",
        "reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF",
    ),
)
def _allocator(machine: Machine) -> Outcome:
    if is_on(machine, "PYTORCH_NO_CUDA_MEMORY_CACHING"):
        return broken(
            "PYTORCH_NO_CUDA_MEMORY_CACHING is set: every tensor asks the driver for memory, and waits.",
            **unset(machine, "PYTORCH_NO_CUDA_MEMORY_CACHING"),
        )
    for name in ALLOCATORS:
        value = machine.environment.get(name, "")
        options = re.findall(r"(?:^|,)\s*([A-Za-z_0-9]+)\s*:", re.sub(r"\[[^]]*\]", "", value))
        if value and not options:
            return suspect(
                "{name}={value} is not understood: torch wants option:value, and refuses all else.",
                fix=f"export {name}={value.replace('=', ':') if '=' in value else 'expandable_segments:True'}",
                then="Then restart the kernel.",
                name=name,
                value=value,
            )
        strange = [each for each in options if each not in ALLOCATOR_OPTIONS]
        if strange:
            return not_known(
                "{name}={value}: the option {strange} is not known here; a newer torch may "
                "know it.",
                name=name,
                value=value,
                strange=strange[0],
            )
        if value:
            return fine(f"{name}={value}.", name=name, value=value)
    return fine("Not set: torch's defaults.")


@check(
    label="Caches of compiled code",
    why="torch.compile takes minutes the first time and seconds from its cache, if that can be kept.",
    expected="On a local disk with room.",
    link="https://pytorch.org/tutorials/recipes/torch_compile_caching_configuration_tutorial.html",
)
def _compile_caches(machine: Machine) -> Outcome:
    if "torch" not in versions(machine):
        return fine("torch is not installed: there is nothing to cache.")
    if is_on(machine, "CUDA_CACHE_DISABLE"):
        return suspect(
            "CUDA_CACHE_DISABLE is set: what the driver compiles is compiled again at each start.",
            **unset(machine, "CUDA_CACHE_DISABLE"),
        )
    user = machine.environment.get("USER") or Path(machine.home).name
    temporary = machine.environment.get("TMPDIR", "/tmp").rstrip("/")
    chosen = machine.environment.get("TORCHINDUCTOR_CACHE_DIR")
    place = chosen or f"{temporary}/torchinductor_{user}"
    there = str(next(filter(machine.exists, (Path(place), *Path(place).parents)), "/"))
    mount, room = mount_of(machine, there), machine.room(there)
    better = "export TORCHINDUCTOR_CACHE_DIR=/var/tmp/torchinductor"
    if mount is not None and mount.kind in NETWORK:
        return suspect(
            "torch.compile keeps its code in {place}, on a network file system ({kind}).",
            fix=better,
            place=place,
            kind=mount.kind,
        )
    if room is not None and room.free_bytes < SMALL_BYTES:
        return suspect(
            "torch.compile keeps its code in {place}, where {free_bytes:.0f} MiB are free.",
            fix=better,
            place=place,
            free_bytes=room.free_bytes / 2**20,
        )
    return fine("torch.compile keeps its code in {place}.", place=place)
