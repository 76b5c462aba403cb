"""Run a benchmark and wait for its result: on this kernel's server, or without one, in a worker of this process."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError, shortened_errors
from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.display.history_view import compared_with_baseline
from jupyter_gpuperf.display.progress import ProgressView, format_status
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.jobs.job import ENDED
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.server_run import ServerRun
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import BenchmarkResult, JobInfo, JobRequest

if TYPE_CHECKING:
    from jupyter_gpuperf.jobs.manager import JobManager

POLL_SECONDS: Final = 0.05
"""Interval between checks for a click, in seconds."""
REDRAW_SECONDS: Final = 0.5
"""Interval between redraws of the elapsed time while nothing else changes, in seconds."""
CANCEL_SECONDS: Final = 5.0
"""How long to wait for a cancelled job to confirm, in seconds."""
LOCAL_DEADLINE_SECONDS: Final = 900.0
FIRST_TICK_SECONDS: Final = 10.0
"""How long to wait for the driver to list the devices, in seconds."""


class LocalRun:
    """A job that runs under a job manager in this process.

    Parameters
    ----------
    ending
        Exit stack that stops everything started for the job; this object takes it over once the job is submitted.
    """

    def __init__(
        self, manager: JobManager, request: JobRequest, ending: contextlib.ExitStack
    ) -> None:
        self._manager = manager
        self._states: queue.SimpleQueue[JobInfo] = queue.SimpleQueue()
        self._id = manager.submit(request, interpreter=sys.executable).id
        manager.subscribe(self._id, self._states.put)
        self._ending = ending.pop_all()

    def next(self, timeout_seconds: float) -> JobInfo | None:
        """Return the next state, or ``None`` if nothing changed within ``timeout_seconds``."""
        with contextlib.suppress(queue.Empty):
            return self._states.get(timeout=timeout_seconds)
        return None

    def cancel(self) -> None:
        """Cancel the job."""
        self._manager.cancel(self._id)

    def close(self) -> None:
        """Stop everything that is still running; return when no process is left."""
        self._ending.close()


Run = LocalRun | ServerRun


def start(request: JobRequest, *, local: bool = False) -> Run:
    """Start a benchmark on this kernel's server; if there is none, or ``local`` is set, in a worker of this process."""
    if not local and (link := ServerLink()).connect():
        return ServerRun(link, request)
    return _start_local(request)


def _start_local(request: JobRequest) -> LocalRun:
    from jupyter_gpuperf.jobs.disturbances import DisturbanceWatcher
    from jupyter_gpuperf.jobs.manager import JobManager
    from jupyter_gpuperf.jobs.run_hooks import RunHooks
    from jupyter_gpuperf.results.store import ResultStore, default_path
    from jupyter_gpuperf.sampling.standalone import standalone_sampler

    source = os.environ.get(SOURCE_VARIABLE) or "auto"  # the same default as the server's
    sampler, subscribers = standalone_sampler(source)
    with contextlib.ExitStack() as ending:  # even an interrupt must leave no worker behind
        sampler.start()
        ending.callback(sampler.stop)
        sampler.wait_for_tick(FIRST_TICK_SECONDS)
        devices = sampler.devices.devices
        watcher = DisturbanceWatcher(sampler, subscribers, has_reading_before_run=False)
        manager = JobManager(
            devices=lambda: devices,
            deadline_seconds=LOCAL_DEADLINE_SECONDS,
            run_hooks=RunHooks(store=ResultStore(default_path()), watcher=watcher),
        )
        ending.callback(manager.close)
        return LocalRun(manager, request, ending)


def finish(run: Run, view: ProgressView, *, display_result: bool, baseline: bool = False) -> Result:
    """Wait for the result while ``view`` shows the progress.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        The benchmark failed. The error has the worker's code, message and hint, and the end of its log.
    """
    final: Result | None = None
    status = translated(Message("The benchmark did not run."))
    try:
        job = _wait(run, view)
        status = format_status(job, time.time())
        final = _result_of(job)
        if baseline:
            final = compared_with_baseline(final)
    finally:
        run.close()
        view.end(final if display_result else None, status)
    return final


def _wait(run: Run, view: ProgressView, clock: Callable[[], float] = time.monotonic) -> JobInfo:
    job: JobInfo | None = None
    cancelled_at, drawn_at = None, 0.0
    while job is None or job.state not in ENDED:
        try:
            changed = run.next(POLL_SECONDS)
            job = changed or job
            if job is not None and (changed or clock() - drawn_at > REDRAW_SECONDS):
                view.show(job)
                drawn_at = clock()
            wanted = view.cancel_wanted()
        except KeyboardInterrupt:
            wanted = True
        except GpuPerfError:
            if cancelled_at is None:
                raise
            raise BenchmarkCancelled(_name_of(job)) from None
        if wanted and cancelled_at is None:
            cancelled_at = clock()
            run.cancel()
        if cancelled_at is not None and clock() - cancelled_at > CANCEL_SECONDS:
            template = "{benchmark} has not confirmed that it was cancelled."
            message = Message(template, benchmark=_name_of(job))
            hint = "The job list in the panel shows whether it is still running."
            raise BenchmarkError("cancel_not_confirmed", message, hint=hint) from None
    return job


class _CancellingView(ProgressView):
    """The view of a run that was interrupted before its own view existed; it only requests cancellation."""

    def cancel_wanted(self) -> bool:
        """Always request cancellation."""
        return True


def _name_of(job: JobInfo | None) -> str:
    return Message("The benchmark") if job is None else job.benchmark


def _result_of(job: JobInfo) -> Result:
    if job.state == "cancelled":
        raise BenchmarkCancelled(job.benchmark)
    if job.state != "done" or job.result is None:
        raise BenchmarkError.of_job(job)
    return Result(job.result, number=job.result_id, best=_best(job.result))


def _best(result: BenchmarkResult) -> dict[str, float]:
    from jupyter_gpuperf.results.baseline_comparison import best_on_machine
    from jupyter_gpuperf.results.store import ResultStore, default_path

    with contextlib.suppress(GpuPerfError):  # the result is valid without the best value
        return best_on_machine(ResultStore(default_path()), result)
    return {}


def with_absolute_folders(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with absolute folders, because the worker has another working directory."""
    return {
        name: str(Path(value).expanduser().absolute()) if name == "folder" and value else value
        for name, value in parameters.items()
    }


@shortened_errors()
def run_benchmark(
    name: str,
    parameters: Mapping[str, Any],
    *,
    device: str | None = None,
    local: bool = False,
    new_view: Callable[[], ProgressView],
    display_result: bool = False,
    baseline: bool = False,
) -> Result:
    """Run a benchmark and return its result; every refusal and failure becomes a :class:`BenchmarkError`."""
    from jupyter_gpuperf.benchmarks import find

    request = JobRequest(
        benchmark=name, parameters=with_absolute_folders(parameters), device=device
    )
    try:
        find(name).check(parameters)  # a wrong value is refused before anything is shown
        run = start(request, local=local)
        with contextlib.closing(run):
            try:
                view = new_view()
            except KeyboardInterrupt:
                _wait(run, _CancellingView())  # the error says that nothing is left running
                raise
            return finish(run, view, display_result=display_result, baseline=baseline)
    except KeyboardInterrupt:  # raised before the wait, which handles interrupts itself
        raise BenchmarkCancelled(name) from None
