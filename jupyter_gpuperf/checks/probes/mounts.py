"""Find the file system that holds a folder. Standard library only."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from jupyter_gpuperf.checks.probes.machine import Machine

NETWORK_TYPES: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs"}
)
SLOW_TYPES: Final = ("9p", "drvfs", "virtiofs", "fuse")
"""Prefixes of slow file system types: each call goes through a user-space process or to another operating system."""


class Mount(NamedTuple):
    """A mounted file system: its mount point, its type such as ``ext4``, and its device."""

    point: str
    kind: str
    device: str
    """Major and minor device number, such as ``8:1``."""


def mount_of(machine: Machine, folder: str) -> Mount | None:
    """Return the mount that holds ``folder``; ``None`` if unknown."""
    path = PurePosixPath(machine.realpath(folder))
    mounts = _mounts(machine.read(f"/proc/{machine.pid}/mountinfo") or "")
    above = [each for each in mounts if each.point == "/" or path.is_relative_to(each.point)]
    # Of two mounts at the same point, the later one hides the earlier one.
    return max(reversed(above), key=lambda each: len(each.point), default=None)


def _mounts(text: str) -> list[Mount]:
    mounts = []
    for line in text.splitlines():
        own, _, rest = line.partition(" - ")
        fields, kinds = own.split(), rest.split()
        if len(fields) > 4 and kinds:
            point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            mounts.append(Mount(point, kinds[0], fields[2]))
    return mounts
