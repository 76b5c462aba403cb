"""Who is at the other end of a local socket, and where a socket may be. The only module here with POSIX-only calls."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Final

LONGEST_PATH_BYTES: Final = 103
"""A Unix socket's path may have 104 bytes on macOS and 108 on Linux, including the closing zero."""
PRIVATE_PREFIX: Final = "gpuperf-"
PRIVATE_NAME: Final = "server.sock"


def sockets_exist() -> bool:
    """Return whether this platform has Unix sockets that asyncio can serve."""
    return hasattr(socket, "AF_UNIX") and sys.platform != "win32"


def same_user(connection: socket.socket) -> bool:
    """Return whether the peer runs as this process's user.

    Where the platform can't report that, the socket's file permissions have already decided.
    """
    if sys.platform != "linux":
        return True
    return _credentials(connection)[1] == os.getuid()


def process_id(connection: socket.socket) -> int | None:
    """Return the peer's pid in this process's namespace, or ``None`` where it is unknown."""
    if sys.platform != "linux":
        return None
    return _credentials(connection)[0] or None  # 0 from a namespace not visible from here


def _credentials(connection: socket.socket) -> tuple[int, ...]:
    """Return the peer's process, user and group."""
    size = struct.calcsize("3i")
    return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))


def socket_path(directory: Path, pid: int) -> Path:
    """Return a free path short enough for a socket: in ``directory``, or in a new private directory."""
    path = directory / f"gpuperf-{pid}.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        remove_socket(path)  # left by a killed server that had this pid
        return path
    return Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX)) / PRIVATE_NAME


def listening_socket(path: Path) -> socket.socket:
    """Return a socket bound to ``path`` that only this user may open."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Set the mode before the file exists: on Linux the file is created with it, so others can't connect
        # at any moment.
        if sys.platform == "linux":
            os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


def remove_socket(path: Path) -> None:
    """Remove a socket, and the private directory that :func:`socket_path` may have created for it."""
    if path.is_socket():  # and nothing else, whatever a stale file may name
        path.unlink()
    if path.name == PRIVATE_NAME and path.parent.name.startswith(PRIVATE_PREFIX):
        with contextlib.suppress(OSError):  # already gone, or not empty and so not ours
            path.parent.rmdir()
