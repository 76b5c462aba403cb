"""Checks of the disks that hold notebooks, data and temporary files: file system and free space."""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from shlex import quote
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.mounts import NETWORK_TYPES, SLOW_TYPES, Mount, mount_of
from jupyter_gpuperf.messages import Message

LOW_SPACE_BYTES: Final = 1 << 30
UNUSABLE_BYTES: Final = 64 << 20
LARGE_CACHE_BYTES: Final = 1 << 30
COUNTED_FILES: Final = 200_000


@check(
    label="Notebook and data folder",
    why="Many files read over a network keep the GPU waiting; a full disk loses notebooks.",
    expected="A local disk with 1 GiB or more free.",
    link="https://pytorch.org/docs/stable/data.html",
    messages=("No space left on device", "File Save Error"),
)
def _working_folder(machine: Machine) -> Outcome:
    folder = machine.folder
    mount, disk_space = mount_of(machine, folder), machine.disk_space(folder)
    if disk_space is None:
        return not_known("{folder} can't be read.", folder=folder)
    fix = _list_largest(folder)
    values: dict[str, Any] = {"gib": disk_space.free_bytes / 2**30, "folder": folder}
    if disk_space.free_bytes < UNUSABLE_BYTES:
        found = "Only {gib:.1f} GiB are free in {folder}: notebooks can't be saved."
        return broken(found, fix=fix, **values)
    if disk_space.free_bytes < LOW_SPACE_BYTES:
        found = "Only {gib:.1f} GiB are free in {folder}: the next checkpoint may not fit."
        return suspect(found, fix=fix, **values)
    if mount is None:
        return fine("{gib:.1f} GiB are free in {folder}.", **values)
    if mount.kind.startswith(SLOW_TYPES) and mount.kind != "fuseblk":
        return suspect(
            "{folder} is on {kind}, where opening a file is slow.",
            fix=f"cp -r {quote(folder)}/data /tmp/data",
            then="Read data from a local disk. To measure the difference, run: %gpubench io",
            folder=folder,
            kind=mount.kind,
        )
    if mount.kind in NETWORK_TYPES:
        return fine(
            "{gib:.1f} GiB are free in {folder}, on a network file system ({kind}).",
            then="Many small files are slow there. To measure it, run: %gpubench io",
            kind=mount.kind,
            **values,
        )
    kind = file_system_label(machine, mount)
    return fine("{gib:.1f} GiB are free in {folder}, on {kind}.", kind=kind, **values)


def _list_largest(folder: str) -> str:
    return f"df -h {quote(folder)}\ndu -xsh {quote(folder)}/* | sort -h | tail"


def file_system_label(machine: Machine, mount: Mount) -> str:
    """Return the file system's type, such as ``ext4``, followed by ``(SSD)`` if the disk reports itself as one.

    Virtual disks often report themselves as rotational.
    """
    block = f"/sys/dev/block/{mount.device}"
    files = (f"{block}/queue/rotational", f"{block}/../queue/rotational")
    return f"{mount.kind} (SSD)" if "0" in map(machine.read, files) else mount.kind


@check(
    label="Temporary folder",
    why="Workers, compilers and downloads store files there.",
    expected="1 GiB or more free.",
    link="https://docs.python.org/3/library/tempfile.html",
    messages=("No usable temporary directory found", "No space left on device"),
)
def _temporary_folder(machine: Machine) -> Outcome:
    folder = machine.environment.get("TMPDIR") or "/tmp"
    disk_space = machine.disk_space(folder)
    if disk_space is None:
        fix = f"mkdir -p -m 1777 {quote(folder)}"
        return broken("{folder} does not exist.", fix=fix, folder=folder)
    if not os.access(machine.actual_path(folder), os.W_OK):
        fix = f'export TMPDIR={quote(machine.home)}/tmp; mkdir -p "$TMPDIR"'
        return broken("{folder} is not writable.", fix=fix, folder=folder)
    if disk_space.free_bytes < LOW_SPACE_BYTES:
        fix, mib = _list_largest(folder), disk_space.free_bytes / 2**20
        return suspect("Only {mib:.0f} MiB are free in {folder}.", fix=fix, mib=mib, folder=folder)
    gib = disk_space.free_bytes / 2**30
    return fine("{gib:.1f} GiB are free in {folder}.", gib=gib, folder=folder)


@check(
    label="pip cache",
    why="It keeps every downloaded wheel; PyTorch with CUDA takes gigabytes.",
    expected="Small, or enough free space.",
    link="https://pip.pypa.io/en/stable/topics/caching/",
)
def _pip_cache(machine: Machine) -> Outcome:
    folder = machine.environment.get("PIP_CACHE_DIR") or f"{machine.home}/.cache/pip"
    size, disk_space = folder_bytes(machine, folder), machine.disk_space(folder)
    if size is None:
        return fine("There is no {folder}.", folder=folder)
    usage = Message("{gib:.1f} GiB in {folder}.", gib=size / 2**30, folder=folder)
    if size <= LARGE_CACHE_BYTES:
        return fine(usage)
    purge = machine.pip_command("cache", "purge") if machine.has_pip else f"rm -r {quote(folder)}"
    is_scarce = disk_space is not None and disk_space.free_bytes < 5 * LOW_SPACE_BYTES
    return suspect(usage, fix=purge) if is_scarce else fine(usage, fix=purge)


def folder_bytes(machine: Machine, folder: str) -> int | None:
    """Return the total size in bytes of the files below a folder; ``None`` if the folder does not exist.

    Counts at most :data:`COUNTED_FILES` files.
    """
    if not machine.exists(folder):
        return None
    total = 0
    walk = os.walk(machine.actual_path(folder))
    files = (os.path.join(place, name) for place, _, names in walk for name in names)
    for file in islice(files, COUNTED_FILES):
        with contextlib.suppress(OSError):  # the file was removed in the meantime
            total += os.lstat(file).st_size
    return total
