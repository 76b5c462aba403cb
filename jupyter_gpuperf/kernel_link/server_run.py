"""A benchmark that the server runs for this kernel, seen from the kernel."""

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
"""Variables of the kernel that are sent with a job, so that its worker sees the same packages, libraries and devices
as the notebook. The worker gets everything else from the server; secrets are never sent."""


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a worker needs to see what its kernel sees."""
    return {name: environment[name] for name in CARRIED_VARIABLES if name in environment}


@dataclass(eq=False)
class ServerRun:
    """One benchmark on the server's worker, over a connected link.

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
        """Return the job's next state, or ``None`` when nothing changed in the given time.

        Raises
        ------
        GpuPerfError
            The server refused the job, with the server's own code, message and hint.
        JobFailed
            ``server_gone``: it disconnected; ``server_not_understood``: its answer could not be read.
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
        """Ask the server to cancel; the job's last state still comes through :meth:`next`."""
        if self.link.connected:  # on another connection it would not be this job
            self.link.send(Cancel())

    def close(self) -> None:
        """Disconnect."""
        self.link.close()
