"""Identify the peer of a Unix socket, and create and remove sockets.

This is the only module of the package with POSIX-only calls.
"""

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
"""Maximum length of a Unix socket's path. Systems allow 104 bytes (macOS) or 108 (Linux) with the terminating zero."""
PRIVATE_PREFIX: Final = "gpuperf-"
PRIVATE_NAME: Final = "server.sock"


def sockets_exist() -> bool:
    """Return whether this platform has Unix sockets that asyncio can serve."""
    return hasattr(socket, "AF_UNIX") and sys.platform != "win32"


def same_user(connection: socket.socket) -> bool:
    """Return whether the peer runs as this process's user.

    Always ``True`` on platforms other than Linux, where only the permissions of the socket's file keep other users out.
    """
    if sys.platform != "linux":
        return True
    return _credentials(connection)[1] == os.getuid()


def process_id(connection: socket.socket) -> int | None:
    """Return the peer's pid in this process's namespace, or ``None`` if it is unknown."""
    if sys.platform != "linux":
        return None
    return _credentials(connection)[0] or None  # 0 for a process in a namespace not visible here


def _credentials(connection: socket.socket) -> tuple[int, ...]:
    """Return the peer's process id, user id and group id."""
    size = struct.calcsize("3i")
    return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))


def socket_path(directory: Path, pid: int) -> Path:
    """Return a path for a socket in ``directory``, or in a new private directory if that path would be too long."""
    path = directory / f"gpuperf-{pid}.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        remove_socket(path)  # a killed server with the same pid may have left it
        return path
    return Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX)) / PRIVATE_NAME


def listening_socket(path: Path) -> socket.socket:
    """Return a socket bound to ``path`` that only this user may open."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux creates the socket's file with the mode of the descriptor, so set it first: other users can then never
        # connect, not even before chmod.
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
    if path.is_socket():  # never remove another kind of file that a stale address file may name
        path.unlink()
    if path.name == PRIVATE_NAME and path.parent.name.startswith(PRIVATE_PREFIX):
        with contextlib.suppress(OSError):  # already removed, or contains other files
            path.parent.rmdir()
