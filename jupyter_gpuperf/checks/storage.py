"""Checks of the disks that hold notebooks, data and temporary files: kind of disk, and free space."""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.mounts import NETWORK, SLOW, Mount, mount_of
from jupyter_gpuperf.messages import Message

LITTLE_BYTES: Final = 1 << 30
NOTHING_BYTES: Final = 64 << 20
LARGE_CACHE_BYTES: Final = 1 << 30
COUNTED_FILES: Final = 200_000


@check(
    label="Folder of notebooks and data",
    why="Data that comes over a network, file by file, keeps the GPU waiting; a full disk loses notebooks.",
    expected="A local disk with 1 GiB or more free.",
    link="https://pytorch.org/docs/stable/data.html",
    messages=("No space left on device", "File Save Error"),
)
def _working_folder(machine: Machine) -> Outcome:
    mount, room = mount_of(machine, machine.folder), machine.room(machine.folder)
    if room is None:
        return not_known("{folder} can't be read.", folder=machine.folder)
    free = f"{room.free_bytes / 2**30:.1f} GiB"
    look = f"df -h {machine.folder}\ndu -xsh {machine.folder}/* | sort -h | tail"
    if room.free_bytes < NOTHING_BYTES:
        return broken(
            "{free} are free in {folder}: notebooks can't be saved.",
            fix=look,
            free=free,
            folder=machine.folder,
        )
    if room.free_bytes < LITTLE_BYTES:
        return suspect(
            "{free} are free in {folder}: the next checkpoint may not fit.",
            fix=look,
            free=free,
            folder=machine.folder,
        )
    if mount is None:
        return fine("{free} are free in {folder}.", free=free, folder=machine.folder)
    if mount.kind.startswith(SLOW) and mount.kind != "fuseblk":
        return suspect(
            "{folder} is on {kind}: each file that is opened takes a detour.",
            fix=f"cp -r {machine.folder}/data /tmp/data",
            then="Read data from a local disk; %gpubench io measures the difference.",
            folder=machine.folder,
            kind=mount.kind,
        )
    if mount.kind in NETWORK:
        return fine(
            "{free} are free in {folder}, on a network file system ({kind}).",
            then="Many small files are slow to read there; %gpubench io measures it.",
            free=free,
            folder=machine.folder,
            kind=mount.kind,
        )
    return fine(
        "{free} are free in {folder}, on {machine}.",
        free=free,
        folder=machine.folder,
        machine=kind_of_disk(machine, mount),
    )


def kind_of_disk(machine: Machine, mount: Mount) -> str:
    """Return the file system's type, such as ``ext4``, with ``(solid state)`` if the disk reports it.

    Virtual disks often report themselves as rotational.
    """
    block = f"/sys/dev/block/{mount.device}"
    places = (f"{block}/queue/rotational", f"{block}/../queue/rotational")
    solid = "0" in map(machine.text, places)
    return f"{mount.kind} (solid state)" if solid else mount.kind


@check(
    label="Temporary folder",
    why="Workers, compilers and downloads put their files there.",
    expected="1 GiB or more free.",
    link="https://docs.python.org/3/library/tempfile.html",
    messages=("No usable temporary directory found", "No space left on device"),
)
def _temporary_folder(machine: Machine) -> Outcome:
    folder = machine.environment.get("TMPDIR") or "/tmp"
    room = machine.room(folder)
    if room is None:
        return broken("{folder} is not there.", fix=f"mkdir -p -m 1777 {folder}", folder=folder)
    if not os.access(machine.at(folder), os.W_OK):
        return broken(
            "{folder} can't be written.",
            fix=f"export TMPDIR={machine.home}/tmp; mkdir -p $TMPDIR",
            folder=folder,
        )
    if room.free_bytes < LITTLE_BYTES:
        return suspect(
            "{free_bytes:.0f} MiB are free in {folder}.",
            fix=f"df -h {folder}\ndu -xsh {folder}/* | sort -h | tail",
            free_bytes=room.free_bytes / 2**20,
            folder=folder,
        )
    return fine(
        "{free_bytes:.1f} GiB are free in {folder}.",
        free_bytes=room.free_bytes / 2**30,
        folder=folder,
    )


@check(
    label="pip's cache",
    why="It holds every wheel that was ever downloaded: a torch with CUDA is gigabytes.",
    expected="Small, or room enough.",
    link="https://pip.pypa.io/en/stable/topics/caching/",
)
def _pip_cache(machine: Machine) -> Outcome:
    folder = machine.environment.get("PIP_CACHE_DIR") or f"{machine.home}/.cache/pip"
    size = size_of(machine, folder)
    if size is None:
        return fine("None at {folder}.", folder=folder)
    room = machine.room(folder)
    sentence = Message("{size:.1f} GiB in {folder}.", size=size / 2**30, folder=folder)
    purge = machine.pip("cache", "purge") if machine.has_pip else f"rm -r {folder}"
    if size <= LARGE_CACHE_BYTES:
        return fine(sentence)
    scarce = room is not None and room.free_bytes < 5 * LITTLE_BYTES
    return suspect(sentence, fix=purge) if scarce else fine(sentence, fix=purge)


def size_of(machine: Machine, folder: str) -> int | None:
    """Return the total size in bytes of the files below a folder; ``None`` if the folder does not exist.

    Counts at most :data:`COUNTED_FILES` files.
    """
    if not machine.exists(folder):
        return None
    total = 0
    walk = os.walk(machine.at(folder))
    files = (os.path.join(place, name) for place, _, names in walk for name in names)
    for file in islice(files, COUNTED_FILES):
        with contextlib.suppress(OSError):  # removed in the meantime
            total += os.lstat(file).st_size
    return total
