"""Check an environment with a worker in its own interpreter. This package need not be installed there."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.errors import JobFailed
from jupyter_gpuperf.jobs.interpreter import interpreter_of, spec_errors
from jupyter_gpuperf.jobs.log_tail import LogTail
from jupyter_gpuperf.jobs.process import (
    WorkerCancelled,
    WorkerOrder,
    WorkerProcess,
    shutting_down_error,
)
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import DoctorReport

DEADLINE_SECONDS: Final = 60.0
"""Time limit of the whole worker. Each check also has its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckTarget:
    """The environment to check.

    Parameters
    ----------
    environment
        Variables that a kernel spec sets.
    folder
        The working directory.
    pid, live
        Process id of a running kernel, and the facts that the kernel reports about itself.
    server
        Facts about the Jupyter server: see :func:`server_facts`.
    """

    interpreter: str = sys.executable
    kernel_name: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = field(default_factory=os.getcwd)
    pid: int | None = None
    live: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        """Return the worker's request."""
        # The supervisor sets the worker's TMPDIR, but the checks are about the original one.
        own = {"TMPDIR": os.environ["TMPDIR"]} if "TMPDIR" in os.environ else {}
        facts = {
            "kernel_name": self.kernel_name,
            "folder": self.folder,
            "live": dict(self.live),
            "server": dict(self.server),
            "environment": own,
            "unset": [] if own else ["TMPDIR"],
        }
        return facts if self.pid is None else {**facts, "pid": self.pid}


class CheckRunner:
    """Checks environments, each in its own worker. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[WorkerProcess] = set()
        self._closed = False

    def run(self, target: CheckTarget) -> DoctorReport:
        """Check the environment and return the report. Blocks until all of the worker's processes have ended.

        Raises
        ------
        GpuPerfError
            The worker could not be started, died, or did not end in time.
        """
        tail = LogTail()
        order = WorkerOrder(
            task="doctor",
            benchmark="",
            parameters=target.request(),
            interpreter=target.interpreter,
            environment=target.environment,
            deadline_seconds=DEADLINE_SECONDS,
        )
        with self._lock:
            if self._closed:
                raise shutting_down_error()
            process = WorkerProcess(order, on_progress=lambda *_: None, tail=tail)
            self._running.add(process)
        try:
            return process.wait_for(DoctorReport)
        except WorkerCancelled as error:
            raise shutting_down_error() from error
        except JobFailed as error:
            if log := tail.text().strip():
                last_line = log.splitlines()[-1]
                error.hint = Message("{what_to_do} {log}", what_to_do=error.hint, log=last_line)
            raise
        finally:
            with self._lock:
                self._running.discard(process)

    def close(self) -> None:
        """Cancel running checks and refuse later ones."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.cancel()


def server_facts(output_bytes_per_second: float | None = None) -> dict[str, Any]:
    """Return facts about the Jupyter server of this environment, for the checks."""
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    return {
        "interpreter": sys.executable,
        "prefix": sys.prefix,
        "packages": list(sys.path),
        "config_path": jupyter_config_path(),
        "data_path": jupyter_path(),
        "output_bytes_per_second": output_bytes_per_second,
    }


def server_facts_of_kernel() -> dict[str, Any]:
    """Return :func:`server_facts` if this kernel and its server share an environment, otherwise an empty dict."""
    pid = os.environ.get("JPY_PARENT_PID")
    if pid is None:
        return server_facts()  # no server started this process: assume one in this environment
    with contextlib.suppress(OSError):
        command = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")[0].decode()
        python = shutil.which(command)  # the server searched the same PATH
        if python is not None and Path(python).parent == Path(sys.executable).parent:
            return server_facts()
    return {}


def target_of(kernel_name: str | None, server: Mapping[str, Any]) -> CheckTarget:
    """Return the environment of a kernel spec; for ``None``, this one.

    Raises
    ------
    NotFound
        ``unknown_kernel``.
    BadRequest
        The spec is broken, or its interpreter is missing, or is not Python.
    """
    if kernel_name is None:
        return CheckTarget(server=server)
    from jupyter_client.kernelspec import KernelSpecManager

    with spec_errors(kernel_name):
        spec: Any = KernelSpecManager().get_kernel_spec(kernel_name)
        interpreter, environment = interpreter_of(spec)
    return CheckTarget(
        interpreter=interpreter, environment=environment, kernel_name=kernel_name, server=server
    )
