"""Write the address where a server listens for its kernels, and find it in a kernel.

The server writes ``gpuperf-<server pid>.json`` into Jupyter's runtime directory. The kernel knows the server's pid,
because jupyter_client sets ``JPY_PARENT_PID`` in its environment.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.kernel_link import ServerAddress

SERVER_PID_VARIABLE: Final = "JPY_PARENT_PID"
NOTEBOOK_VARIABLE: Final = "JPY_SESSION_NAME"
KERNEL_FILE: Final = re.compile(r"kernel-(.+)\.json")


def server_file_name(pid: int) -> str:
    """Return the name of the file to which the server with this pid writes its address."""
    return f"gpuperf-{pid}.json"


def runtime_directories() -> list[Path]:
    """Return the directories where this kernel's server may have written its address."""
    from jupyter_core.paths import jupyter_runtime_dir

    file = connection_file()
    return [*([file.parent] if file else []), Path(jupyter_runtime_dir())]


def connection_file() -> Path | None:
    """Return the connection file of this process's ipykernel; ``None`` if it is no ipykernel.

    ``sys.modules`` alone does not show that: scripts import ipykernel too, and other kernels put a stand-in there.
    """
    with contextlib.suppress(Exception):
        if "ipykernel" in sys.modules:
            from ipykernel.connect import get_connection_file

            return Path(get_connection_file())
    return None


def kernel_id() -> str | None:
    """Return the id of the kernel that this process is or belongs to; ``None`` if it belongs to none."""
    file = connection_file()
    if file is None:
        return _kernel_of_process()
    found = KERNEL_FILE.fullmatch(file.name)
    return None if found is None else found[1]


def _kernel_of_process() -> str | None:
    """Return the id of the kernel that this process is, or its nearest ancestor: a training rank belongs to its notebook."""
    if SERVER_PID_VARIABLE not in os.environ:
        return None
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process()
        for each in (process, *process.parents()):
            with contextlib.suppress(psutil.Error):  # another user's process, or it has ended
                for argument in each.cmdline():
                    found = KERNEL_FILE.fullmatch(Path(argument).name)
                    if found is not None:
                        return found[1]
    return None


def find_server(
    directories: Iterable[Path], environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Return the socket path of the server that started this kernel, or ``None`` if there is none.

    A killed server leaves its file behind, so only connecting shows whether a server is listening.
    """
    pid = environment.get(SERVER_PID_VARIABLE, "")
    if not pid.isdecimal() or not peer.sockets_exist():
        return None
    servers = (_read(directory / server_file_name(int(pid))) for directory in directories)
    return next((Path(each.socket) for each in servers if each and each.pid == int(pid)), None)


def write_server_file(directory: Path, address: ServerAddress) -> None:
    """Write this server's address to a file for its kernels: atomically, and readable only by this user."""
    target = directory / server_file_name(address.pid)
    draft = target.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(encode(address))
    draft.replace(target)


def running_servers(directories: Iterable[Path]) -> list[ServerAddress]:
    """Return the servers of this user that run, the one that was started last at the end."""
    from psutil import pid_exists  # as below

    found: list[tuple[float, ServerAddress]] = []
    for file in {file for each in directories for file in each.glob("gpuperf-*.json")}:
        server = _read(file)
        if server is not None and pid_exists(server.pid):
            with contextlib.suppress(OSError):  # the server has ended, and removed it
                found.append((file.stat().st_mtime, server))
    return [server for _, server in sorted(found, key=lambda each: each[0])]


def remove_stale_files(directory: Path) -> None:
    """Remove the address files and sockets of servers that were killed."""
    from psutil import pid_exists  # imported here to keep the start of the server fast

    for file in directory.glob("gpuperf-*.json"):
        server = _read(file)
        if server is None or file.name != server_file_name(server.pid) or pid_exists(server.pid):
            continue
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            peer.remove_socket(Path(server.socket))


def _read(file: Path) -> ServerAddress | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=ServerAddress)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
