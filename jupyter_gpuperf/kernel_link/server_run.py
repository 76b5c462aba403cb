"""Let the server run a benchmark for this kernel."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError, JobFailed
from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
from jupyter_gpuperf.schemas import JobInfo, JobRequest, SocketError
from jupyter_gpuperf.schemas.kernel_link import Cancel, FromServer, JobUpdate, RunRequest

CARRIED_VARIABLES: Final = (
    # the packages that the interpreter finds
    "PATH",
    "PYTHONPATH",
    "PYTHONNOUSERSITE",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    # the native libraries that it loads
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    # the devices that it may use, its number of threads, and torch's allocator
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
)
"""Environment variables of the kernel that are sent with a job, so that its worker uses the same packages, libraries
and devices as the notebook. The worker gets all other variables from the server. Secrets are never sent."""


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that are sent with a job."""
    return {name: environment[name] for name in CARRIED_VARIABLES if name in environment}


@dataclass(eq=False)
class ServerRun:
    """One benchmark that a worker of the server runs, requested over a connected link.

    :meth:`close` disconnects, which cancels a job that has not ended.
    """

    link: ServerLink
    request: JobRequest
    interpreter: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self._received: deque[FromServer | None] = deque()
        request = RunRequest(
            benchmark=self.request.benchmark,
            parameters=self.request.parameters,
            device=self.request.device,
            interpreter=self.interpreter,
            environment=worker_environment(self.environment),
        )
        self.link.send(request, SEND_SECONDS)

    def next(self, timeout_seconds: float) -> JobInfo | None:
        """Return the job's next state, or ``None`` if it does not change within ``timeout_seconds``.

        Raises
        ------
        GpuPerfError
            The server refused the job. The error has the code, message and hint of the server's error.
        JobFailed
            ``server_gone``: the server disconnected. ``server_not_understood``: its answer could not be decoded.
        """
        until = time.monotonic() + timeout_seconds
        while not self._received:
            if not self.link.connected:
                message = "The Jupyter server disconnected during the benchmark."
                hint = "Run it again; add --local to run it without the server."
                raise JobFailed("server_gone", message, hint)
            left_seconds = until - time.monotonic()
            self._received += self.link.receive(max(0.0, left_seconds))
            if not self._received and self.link.connected and left_seconds <= 0:
                return None
        received = self._received.popleft()
        if isinstance(received, SocketError):
            raise GpuPerfError(received.code, received.message, received.hint)
        if not isinstance(received, JobUpdate):
            message = "The Jupyter server's answer could not be read."
            hint = "Kernel and server may run different versions: restart both, or add --local."
            raise JobFailed("server_not_understood", message, hint)
        return received

    def cancel(self) -> None:
        """Ask the server to cancel the job; :meth:`next` still returns the job's last state."""
        if self.link.connected:  # sending would otherwise reconnect, without this job
            self.link.send(Cancel())

    def close(self) -> None:
        """Disconnect."""
        self.link.close()
