"""Checks of environment variables that slow PyTorch down, and of compile caches."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.installed import version_of
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.mounts import NETWORK_TYPES, mount_of
from jupyter_gpuperf.checks.probes.unset import unset_advice
from jupyter_gpuperf.units import GIB

OFF: Final = ("", "0", "false", "off", "no")
VERBOSE_AT: Final = {
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
ALLOCATOR_OPTION: Final = re.compile(
    "backend|max_split_size_mb|max_non_split_rounding_mb|roundup_power2_divisions"
    "|garbage_collection_threshold|expandable_segments|release_lock_on_(cuda|hip)malloc"
    "|pinned_(use_cuda_host_register|num_register_threads|use_background_threads)"
    "|pinned_reserve_segment_size_mb|graph_capture_record_stream_reuse"
    "|per_process_memory_fraction|throw_on_cudamalloc_oom"
)
FRAGMENTATION: Final = ("fragmented_bytes", "reserved_bytes")
"""Facts of a notebook that uses CUDA: what torch holds, and how much of it is unused between tensors."""
FRAGMENTED_RATIO: Final = 0.2
"""Some gaps are normal: tensors of a step come and go between those that stay."""
SMALL_BYTES: Final = 1 << 30

CUDA_VARIABLES: Final = "https://pytorch.org/docs/stable/cuda_environment_variables.html"


def is_on(machine: Machine, name: str) -> bool:
    """Return whether a variable is set to a value that does not mean off."""
    return machine.environment.get(name, "").strip().lower() not in OFF


@check(
    label="CUDA_LAUNCH_BLOCKING",
    why="Python waits for each GPU kernel to end. Useful to find an error, slow otherwise.",
    expected="Not set.",
    link=CUDA_VARIABLES,
    messages=("For debugging consider passing CUDA_LAUNCH_BLOCKING=1",),
)
def _launch_blocking(machine: Machine) -> Outcome:
    if not is_on(machine, "CUDA_LAUNCH_BLOCKING"):
        return fine("Off.")
    steps = unset_advice(machine, "CUDA_LAUNCH_BLOCKING")
    return broken("On: Python waits for each GPU kernel, and the GPU for Python.", **steps)


@check(
    label="Debugging variables",
    why="They add checks or output to every step, and are easily forgotten.",
    expected="None.",
    link=CUDA_VARIABLES,
    messages=("Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions", "NCCL INFO"),
)
def _debugging_variables(machine: Machine) -> Outcome:
    values = machine.environment
    names = [name for name in SWITCHES if is_on(machine, name)]
    names += [name for name in VERBOSE_AT if values.get(name, "").upper() in VERBOSE_AT[name]]
    if not names:
        return fine("None is set.")
    return suspect("Set for debugging: {names}.", names=names, **unset_advice(machine, *names))


@check(
    label="Memory allocator",
    why="PyTorch rejects wrong options. Without its memory cache, each step waits for the driver.",
    expected="The defaults, or valid options.",
    link="https://pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-cuda-alloc-conf",
    messages=(
        "Unrecognized CachingAllocator option",
        "reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF",
    ),
)
def _allocator(machine: Machine) -> Outcome:
    if is_on(machine, "PYTORCH_NO_CUDA_MEMORY_CACHING"):
        steps = unset_advice(machine, "PYTORCH_NO_CUDA_MEMORY_CACHING")
        return broken("PyTorch's memory cache is off: each tensor waits for the driver.", **steps)
    names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
    name = next((each for each in names if machine.environment.get(each)), None)
    value = machine.environment[name] if name else ""
    fragmented, reserved = (machine.live.get(each) or 0.0 for each in FRAGMENTATION)
    is_fragmented = fragmented >= max(GIB, FRAGMENTED_RATIO * reserved)
    if is_fragmented and "expandable_segments:True" not in value:
        expandable = ",".join(filter(None, [value, "expandable_segments:True"]))
        return suspect(
            "Fragmented: {unused:.1f} of {reserved:.1f} GiB that this notebook's PyTorch holds lie unused between tensors.",
            fix=f"export {name or names[1]}={quote(expandable)}",
            then="Then restart the kernel. For who holds the rest: %gpumem",
            unused=fragmented / GIB,
            reserved=reserved / GIB,
        )
    if name is None:
        return fine("Not set: PyTorch's defaults.")
    options = re.findall(r"(?:^|,)\s*([A-Za-z_0-9]+)\s*:", re.sub(r"\[[^]]*\]", "", value))
    if not options:
        right = value.replace("=", ":") if "=" in value else "expandable_segments:True"
        return suspect(
            "PyTorch rejects {name}={value}; the format is option:value.",
            fix=f"export {name}={quote(right)}",
            then="Then restart the kernel.",
            name=name,
            value=value,
        )
    if unknown := [each for each in options if not ALLOCATOR_OPTION.fullmatch(each)]:
        found = "{name} has options that may need a newer PyTorch: {unknown}."
        return not_known(found, name=name, unknown=unknown)
    return fine(f"{name}={value}")


@check(
    version_of("torch"),
    label="Compile caches",
    why="torch.compile takes minutes the first time, but seconds with its cache.",
    expected="On a local disk with free space.",
    link="https://pytorch.org/tutorials/recipes/torch_compile_caching_configuration_tutorial.html",
)
def _compile_caches(machine: Machine, _: str) -> Outcome:
    if is_on(machine, "CUDA_CACHE_DISABLE"):
        steps = unset_advice(machine, "CUDA_CACHE_DISABLE")
        return suspect("CUDA_CACHE_DISABLE is set: the driver recompiles at each start.", **steps)
    user = machine.environment.get("USER") or Path(machine.home).name
    temporary = (machine.environment.get("TMPDIR") or "/tmp").rstrip("/")
    path = machine.environment.get("TORCHINDUCTOR_CACHE_DIR") or f"{temporary}/torchinductor_{user}"
    existing = str(next(filter(machine.exists, (Path(path), *Path(path).parents)), "/"))
    mount, disk_space = mount_of(machine, existing), machine.disk_space(existing)
    fix = "export TORCHINDUCTOR_CACHE_DIR=/var/tmp/torchinductor"
    if mount is not None and mount.kind in NETWORK_TYPES:
        found = "The cache {path} is on a network file system ({kind})."
        return suspect(found, fix=fix, path=path, kind=mount.kind)
    if disk_space is not None and disk_space.free_bytes < SMALL_BYTES:
        mib = disk_space.free_bytes / 2**20
        return suspect("Only {mib:.0f} MiB are free for {path}.", fix=fix, mib=mib, path=path)
    return fine("The cache is {path}.", path=path)
