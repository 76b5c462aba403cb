"""The private folder of a run's socket."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Final

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.kernel_link import peer

LONGEST_NAMES: Final = f"{peer.PRIVATE_PREFIX}xxxxxxxx/gpuperf-4194304.sock"
YOUNG_SECONDS: Final = 60.0
"""A younger folder may be of a run that does not listen yet."""


def no_socket(folder: object) -> Unavailable:
    """Return the error that no socket can be created in the folder."""
    message = "The script's processes can't report: no socket can be created in {folder}."
    hint = "Set TMPDIR to a folder on a local disk that is not full."
    return Unavailable("not_started", message, hint, folder=folder)


def new_folder() -> Path:
    """Return a new private folder whose path is short enough for a socket. Remove those of runs that were killed.

    Raises
    ------
    Unavailable
        ``not_started``: there is no place for it.
    """
    try:
        parent = Path(tempfile.gettempdir())
        if len(os.fsencode(parent / LONGEST_NAMES)) > peer.LONGEST_PATH_BYTES:
            parent = Path("/tmp")
        for each in parent.glob(f"{peer.PRIVATE_PREFIX}*/gpuperf-*.sock"):
            with contextlib.suppress(OSError):  # another run removes it, too
                _remove_abandoned(each)
        return Path(tempfile.mkdtemp(prefix=peer.PRIVATE_PREFIX, dir=parent))
    except OSError as error:
        raise no_socket(os.environ.get("TMPDIR", "/tmp")) from error


def _remove_abandoned(path: Path) -> None:
    if path.stat().st_uid != os.getuid() or time.time() - path.stat().st_mtime < YOUNG_SECONDS:
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except ConnectionRefusedError:  # nobody listens, in no container
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
            path.parent.rmdir()  # unless there is something else in it
        except OSError:  # a busy run
            pass
