"""How a kernel reaches the job manager of its own Jupyter server.

A kernel has no token: under password or hub authentication it could not call the REST routes. So
the server listens on a Unix socket that only its own user may open, and writes where into
``gpuperf-<server pid>.json`` in Jupyter's runtime directory. The kernel knows that pid, because
jupyter_client puts ``JPY_PARENT_PID`` into its environment.

Both sides speak JSON, one object a line, each with a ``type``. A kernel sends :class:`Run`, then
perhaps :class:`Cancel`, or at any time what it holds (:mod:`jobs.holding`) and what its training loops and cells do
(:mod:`schemas.training`); for a job it gets a :class:`JobUpdate` at each change until the job has ended, or a
:class:`schemas.SocketError`. Hanging up cancels the job. This file needs the standard library and
msgspec alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.errors import GpuPerfError, JobFailed, Unavailable
from jupyter_gpuperf.jobs.told import Told
from jupyter_gpuperf.kernel_link.holding import Holding
from jupyter_gpuperf.schemas import DeviceInfo, JobInfo, JobRequest, SocketError, encode
from jupyter_gpuperf.schemas.training import CellRan, Steps

SERVER_PID_VARIABLE: Final = "JPY_PARENT_PID"
CONNECT_SECONDS: Final = 2.0

CARRIED_VARIABLES: Final = (
    # which packages the interpreter finds
    "PATH",
    "PYTHONPATH",
    "PYTHONNOUSERSITE",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    # which native libraries it loads
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    # which devices and how many threads it may use
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
)
"""The variables of the kernel that travel with a job, so that its worker sees the same packages,
libraries and devices as the notebook. All else the worker has from the server; secrets never travel."""


class Run(Struct, frozen=True, kw_only=True, tag="run", forbid_unknown_fields=True):
    """Ask for a benchmark; once per connection at a time."""

    benchmark: str
    parameters: dict[str, Any] = {}
    device: str | None = None
    """UUID or index; ``None`` leaves the choice to the server."""
    interpreter: str | None = None
    """The kernel's Python; the server's own where it is ``None``."""
    environment: dict[str, str] = {}
    """Variables of the kernel; those not in :data:`CARRIED_VARIABLES` are ignored."""


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Cancel this connection's job; without one it means nothing."""


class JobUpdate(JobInfo, frozen=True, kw_only=True, tag="job"):
    """The job as it is now."""


class ServerFile(Struct, frozen=True, kw_only=True):
    """Content of ``gpuperf-<server pid>.json``."""

    socket: str
    pid: int
    version: str


FromKernel = Run | Cancel | Holding | Told | Steps | CellRan
FromServer = JobUpdate | SocketError

_decoder: msgspec.json.Decoder[FromServer] = msgspec.json.Decoder(FromServer)


def server_file_name(pid: int) -> str:
    """Return the name of the file in which the server with this pid says where it listens."""
    return f"gpuperf-{pid}.json"


def carried(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that a worker needs to see what its kernel sees."""
    return {name: environment[name] for name in CARRIED_VARIABLES if name in environment}


def uuid_of(device: str | None, devices: Iterable[DeviceInfo]) -> str | None:
    """Return the UUID that an index, as people type it, stands for; anything else as it is."""
    if device is None or not device.isdecimal():
        return device
    return next((each.uuid for each in devices if each.index == int(device)), device)


def find_server(
    directories: Iterable[Path], environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Return the socket of the server that started this kernel, or ``None`` where there is none.

    Parameters
    ----------
    directories
        Where the server may have left its file: Jupyter's runtime directory, and that of the
        kernel's connection file.
    """
    pid = environment.get(SERVER_PID_VARIABLE, "")
    if not pid.isdecimal() or not hasattr(socket, "AF_UNIX"):
        return None
    for directory in directories:
        try:
            content = (directory / server_file_name(int(pid))).read_bytes()
            found = msgspec.json.decode(content, type=ServerFile)
        except (OSError, msgspec.MsgspecError):
            continue
        if found.pid == int(pid) and _accepts(found.socket):
            return Path(found.socket)
    return None


class ServerRun:
    """One benchmark on the server's worker, seen from the kernel.

    :meth:`close` hangs up, which cancels a job that has not ended.
    """

    def __init__(
        self,
        address: Path,
        request: JobRequest,
        *,
        interpreter: str = sys.executable,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._received = bytearray()
        self._socket = _connect(str(address))
        self._send(
            Run(
                benchmark=request.benchmark,
                parameters=request.parameters,
                device=request.device,
                interpreter=interpreter,
                environment=carried(environment),
            )
        )

    def next(self, timeout_seconds: float) -> JobInfo | None:
        """Return the job's next state, or ``None`` when nothing changed in the time given.

        Raises
        ------
        GpuPerfError
            The server refused the job, with the server's own code, message and hint.
        JobFailed
            ``server_gone``: it hung up.
        """
        line = self._line(timeout_seconds)
        if line is None:
            return None
        try:
            message = _decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise JobFailed(
                "server_not_understood",
                "The Jupyter server's answer could not be read.",
                "Kernel and server may hold different versions of jupyter_gpuperf; "
                "restart both, or add --local.",
            ) from error
        if isinstance(message, SocketError):
            raise GpuPerfError(message.code, message.message, message.hint)
        return message

    def cancel(self) -> None:
        """Ask the server to cancel; the job's last state still comes through :meth:`next`."""
        with contextlib.suppress(JobFailed):
            self._send(Cancel())

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, message: Run | Cancel) -> None:
        try:
            self._socket.sendall(encode(message) + b"\n")
        except OSError as error:
            raise _server_gone() from error

    def _line(self, timeout_seconds: float) -> bytes | None:
        deadline = time.monotonic() + timeout_seconds
        while b"\n" not in self._received:
            left_seconds = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._socket], [], [], left_seconds)
            if not readable:
                return None
            self._receive()
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def _receive(self) -> None:
        try:
            chunk = self._socket.recv(1 << 16)
        except OSError as error:
            raise _server_gone() from error
        if not chunk:
            raise _server_gone()
        self._received += chunk


def _server_gone() -> JobFailed:
    return JobFailed(
        "server_gone",
        "The Jupyter server hung up before the benchmark had ended.",
        "Run it again; add --local to run it without the server.",
    )


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_SECONDS)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise Unavailable(
            "server_not_reachable",
            "The Jupyter server does not answer on its socket.",
            "Add --local to run the benchmark without it.",
        ) from error
    return connection


def _accepts(path: str) -> bool:
    """Tell whether somebody listens; a server that was killed leaves its files behind."""
    try:
        _connect(path).close()
    except Unavailable:
        return False
    return True
