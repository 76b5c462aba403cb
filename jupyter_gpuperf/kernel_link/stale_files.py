"""What servers that were killed leave behind in Jupyter's runtime directory."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.client import ServerFile, server_file_name


def remove_stale_files(directory: Path) -> None:
    """Remove what servers that were killed left behind."""
    from psutil import pid_exists  # here: most of what it brings, a server's start has no use for

    for file in directory.glob("gpuperf-*.json"):
        try:
            found = msgspec.json.decode(file.read_bytes(), type=ServerFile)
        except (OSError, msgspec.MsgspecError):
            continue
        if file.name != server_file_name(found.pid) or pid_exists(found.pid):
            continue
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            peer.remove_socket(Path(found.socket))
