"""One worker under its supervisor: start it, read its messages, end it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import msgspec

from jupyter_gpuperf.errors import GpuPerfError, JobFailed, Unavailable
from jupyter_gpuperf.jobs import posix
from jupyter_gpuperf.jobs.log_tail import LogTail
from jupyter_gpuperf.messages import Message, without_messages
from jupyter_gpuperf.messages.printable import printable_data

T = TypeVar("T", bound=msgspec.Struct)

HERE: Final = Path(__file__).parent
WORKER: Final = (str(HERE / "worker.py"),)
"""The interpreter's arguments that start the worker."""
LONGEST_LINE_MIB: Final = 16
REPORT_HINT: Final = Message("Please report this, with the log.")

WITHHELD_PREFIXES: Final = ("JPY_", "JUPYTERHUB_", "JUPYTER_TOKEN", "JUPYTER_GPUPERF_")
"""Prefixes of the server's environment variables that are withheld from workers; some hold tokens."""

GRACE_SECONDS: Final = 5.0
"""Time in which a supervisor must end its worker; after that, it is killed itself."""

MARKER: Final = "JUPYTER_GPUPERF_JOB"
"""Environment variable that identifies a worker's processes, even in sessions of their own."""


class WorkerCancelled(Exception):
    """The worker was ended on request."""


def shutting_down_error() -> Unavailable:
    """Return the error with which requests are refused while the server shuts down."""
    return Unavailable("shutting_down", "The server is shutting down.", "Start it again.")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOrder:
    """What a worker runs: the task, its parameters, its environment and its time limit."""

    benchmark: str
    parameters: Mapping[str, Any]
    interpreter: str
    deadline_seconds: float
    environment: Mapping[str, str] = field(default_factory=dict)
    lock_descriptors: tuple[int, ...] = ()
    worker: Sequence[str] = WORKER
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)
    task: str = "benchmark"
    """The worker's task: ``benchmark`` or ``doctor``."""

    @property
    def scratch(self) -> str:
        """Path of the folder for the worker's temporary files."""
        return os.path.join(tempfile.gettempdir(), f"gpuperf-{self.marker[:12]}")

    def encode(self) -> bytes:
        """Return the order as the first line of the supervisor's input."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(WITHHELD_PREFIXES)}
        request = {"benchmark": self.benchmark, "parameters": dict(self.parameters)}
        order = {
            "command": [self.interpreter, *self.worker],
            "request": json.dumps({"task": self.task, **request}),
            "environment": {**inherited, **self.environment, MARKER: self.marker},
            "deadline_seconds": self.deadline_seconds,
            "scratch": self.scratch,
        }
        return json.dumps(order).encode() + b"\n"


class WorkerProcess:
    """Runs an order. Call ``wait_for`` once; any thread may call ``cancel`` at any time.

    Parameters
    ----------
    on_progress
        Receives a ratio from 0 to 1 and a short text; called from the waiting thread.
    tail
        Collects the end of the worker's output.

    Raises
    ------
    Unavailable
        ``jobs_unsupported``: jobs can't run on this platform. ``worker_start_failed``: the system can't start another
        process.
    """

    def __init__(
        self, order: WorkerOrder, *, on_progress: Callable[[float, str], None], tail: LogTail
    ) -> None:
        if not posix.IS_POSIX:
            message = "Benchmarks can't run on {platform}."
            hint = "Use Linux or macOS; on Windows, use WSL."
            raise Unavailable("jobs_unsupported", message, hint, platform=sys.platform)
        self._order, self._on_progress, self._tail = order, on_progress, tail
        self._lock = threading.Lock()
        self._answer: dict[str, Any] | None = None
        self._end: dict[str, Any] = {}
        self._overlong = False
        self._cancelled = False
        self._timers: list[threading.Timer] = []
        try:
            self._process = subprocess.Popen(
                # -I -S: nothing in the user's environment can slow or change the supervisor.
                [sys.executable, "-I", "-S", str(HERE / "supervisor.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=order.lock_descriptors,
            )
        except OSError as error:  # too many open files or processes, or too little memory
            raise Unavailable(
                "worker_start_failed",
                "The benchmark's process could not be started: {error}.",
                "Shut down unused notebooks, or raise the server's limits (see ulimit -a).",
                error=error.strerror,
            ) from error

    def cancel(self) -> None:
        """End the worker and all its descendants; returns at once."""
        self._cancelled = True
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        assert self._process.stdin is not None
        self._kill_supervisor_after(GRACE_SECONDS)
        # While the order is being sent, the lock is taken; a supervisor that does not read it is killed then.
        if self._lock.acquire(blocking=False):
            with contextlib.suppress(OSError):  # the supervisor may be gone already
                self._process.stdin.close()
            self._lock.release()

    def _kill_supervisor_after(self, seconds: float) -> None:
        # A stopped supervisor notices neither the time limit nor the end of its lifeline.
        def kill() -> None:
            if self._answer is None and self._process.poll() is None:
                self._end.setdefault("reason", "deadline")
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def wait_for(self, shape: type[T]) -> T:
        """Send the order, block until all of the worker's processes have ended, and return the result.

        Raises
        ------
        WorkerCancelled
            :meth:`cancel` was called.
        GpuPerfError
            The error that the benchmark reported.
        JobFailed
            ``worker_start_failed``, ``worker_died``, ``worker_protocol`` or ``deadline_exceeded``.
        """
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        log = threading.Thread(target=self._read_log, args=(self._process.stderr,), daemon=True)
        guard = threading.Thread(target=self._clean_up_after_supervisor, daemon=True)
        log.start()
        guard.start()
        try:
            self._give_order()
            self._read_messages(self._process.stdout)
        finally:
            # Leave no process behind, however reading ended. Stdout is closed first, so that
            # a supervisor with more output does not wait for a reader.
            self._close_lifeline()
            self._process.stdout.close()
            guard.join()
            for timer in self._timers:
                timer.cancel()
            log.join()
            self._process.stderr.close()
        return self._conclude(shape)

    def _give_order(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with self._lock, contextlib.suppress(OSError):  # the supervisor may have ended already
            if not stdin.closed:
                stdin.write(self._order.encode())
                stdin.flush()
            if self._cancelled:
                stdin.close()

    def _read_messages(self, stdout: IO[bytes]) -> None:
        while line := stdout.readline(LONGEST_LINE_MIB << 20):
            self._overlong |= len(line) == LONGEST_LINE_MIB << 20
            if line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = printable_data(json.loads(line))
            kind = message["type"]
            if kind == "progress":
                # With min and max in this order, NaN becomes 0.
                ratio = min(1.0, max(0.0, float(message["ratio"])))
                self._on_progress(ratio, without_messages(message)["message"])
            elif kind in ("result", "error"):
                self._answer = message
            elif kind == "ended":
                self._end = message
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self._tail.add(line)  # output written to stdout before the worker took it over

    def _read_log(self, stderr: IO[bytes]) -> None:
        while part := os.read(stderr.fileno(), 65536):
            self._tail.add(part)

    def _clean_up_after_supervisor(self) -> None:
        # A killed supervisor can't clean up. Its worker dies with it (see posix.die_with_parent).
        # The worker's children are killed here: they also hold the pipes that other threads read.
        self._kill_supervisor_after(self._order.deadline_seconds + GRACE_SECONDS)
        if self._process.wait() != 0:
            posix.kill_marked(f"{MARKER}={self._order.marker}")
            shutil.rmtree(self._order.scratch, ignore_errors=True)

    def _conclude(self, shape: type[T]) -> T:
        reason = self._end.get("reason")
        if reason == "cancelled" or (self._cancelled and self._answer is None):
            raise WorkerCancelled
        if reason == "start_failed":
            raise JobFailed(
                "worker_start_failed",
                "{python} could not be started: {error}.",
                "Choose another kernel, or repair this one; jupyter kernelspec list shows its folder.",
                python=self._order.interpreter,
                error=self._end.get("detail"),
            )
        if reason == "deadline":
            raise _too_late(self._order)
        if self._answer is None and self._overlong and self._end.get("returncode") == 0:
            too_long = "The worker sent a line of more than {mib} MiB."
            raise JobFailed("worker_protocol", too_long, REPORT_HINT, mib=LONGEST_LINE_MIB)
        if self._answer is None:
            raise _death(self._end.get("returncode", self._process.returncode))
        if self._answer["type"] == "error":
            raise GpuPerfError.from_dict(self._answer)
        try:
            return msgspec.convert(self._answer.get("result"), shape)
        except msgspec.ValidationError as error:
            message = "The worker's result has the wrong format: {error}."
            raise JobFailed("worker_protocol", message, REPORT_HINT, error=error) from error


def _too_late(order: WorkerOrder) -> JobFailed:
    message = "The benchmark was stopped after {seconds:g} s."
    hint = "Reduce the work, or raise c.GpuPerf.job_deadline_seconds."
    if order.task == "doctor":
        message = "The checks were stopped after {seconds:g} s."
        hint = "See in a terminal whether nvidia-smi and import torch end."
    return JobFailed("deadline_exceeded", message, hint, seconds=order.deadline_seconds)


def _death(returncode: int | None) -> JobFailed:
    hint = "The end of the log shows why."
    if returncode is None or returncode >= 0:
        message = "The worker exited without a result (exit code {exit_code})."
        return JobFailed("worker_died", message, hint, exit_code=returncode)
    if returncode == -signal.SIGKILL:
        hint = "Often this is the system's out-of-memory killer: reduce the work, or free memory."
    name = signal.Signals(-returncode).name
    return JobFailed("worker_died", "The worker was killed by {signal}.", hint, signal=name)
