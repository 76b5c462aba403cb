"""Drop a file's pages from the page cache, and find how many of them are in it. Linux only; needs no root."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from typing import Final

from jupyter_gpuperf.errors import Unavailable

MOUNTS: Final = Path("/proc/self/mountinfo")


def drop_from_cache(path: Path) -> float:
    """Ask the system to drop a file's pages from memory; return the share that remains, from 0 to 1.

    Raises
    ------
    OSError
        The file can't be opened.
    Unavailable
        ``no_page_cache``: this system can't drop pages, or doesn't report which are in memory.
    """
    if not hasattr(os, "posix_fadvise"):
        message, hint = "This system can't drop pages from the page cache.", "Run it on Linux."
        raise Unavailable("no_page_cache", message, hint)
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident_ratio(path)


def resident_ratio(path: Path) -> float:
    """Return the share of a file's pages that are in memory, from 0 to 1; 0 for an empty file.

    Raises
    ------
    OSError
        The file can't be opened.
    Unavailable
        ``no_page_cache``: this system doesn't report which pages are in memory.
    """
    size = path.stat().st_size
    if size == 0:
        return 0.0
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "mincore"):
        raise Unavailable("no_page_cache", "This system has no mincore.", "Run it on Linux.")
    pages = -(-size // mmap.PAGESIZE)
    resident = (ctypes.c_ubyte * pages)()
    # Writable, because ctypes otherwise refuses to return its address. Nothing is read or written.
    access = mmap.PROT_READ | mmap.PROT_WRITE
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, access) as view:
        start = ctypes.c_char.from_buffer(view)
        try:
            address = ctypes.c_void_p(ctypes.addressof(start))
            failed = library.mincore(address, ctypes.c_size_t(size), resident)
        finally:
            del start  # the mapping can't be closed while this reference exists
        if failed:
            raise OSError(ctypes.get_errno(), "mincore", str(path))
    return sum(each & 1 for each in resident) / pages


def filesystem_of(folder: Path) -> str | None:
    """Return the type of the file system that holds a folder, such as ``ext4`` or ``nfs``; ``None`` if unknown."""
    mounts = {}
    try:
        for line in MOUNTS.read_text().splitlines():
            before, _, after = line.partition(" - ")
            mounts[before.split()[4].replace("\\040", " ")] = after.split()[0]
        resolved = folder.resolve()
    except (OSError, IndexError):
        return None
    above = (str(each) for each in (resolved, *resolved.parents))
    return next((mounts[each] for each in above if each in mounts), None)
