"""Run one suite: submit its jobs one at a time, and report its progress."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from jupyter_gpuperf.errors import GpuPerfError, JobFailed, Unavailable
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.remaining_time import RemainingTime
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import (
    BenchmarkResult,
    ErrorInfo,
    JobInfo,
    JobRequest,
    JobState,
    SuiteInfo,
    SuiteResults,
)
from jupyter_gpuperf.suites.rounds import Rounds

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark

logger = logging.getLogger(__name__)


def cancelled_error() -> GpuPerfError:
    """Return the error that is raised to end a cancelled suite."""
    return GpuPerfError("cancelled", "It was cancelled.")


def unsaved_error() -> GpuPerfError:
    """Return the error of a suite whose results can't be saved: they are lost when the server stops."""
    message = "Some results were not saved. They are lost when the server stops."
    hint = "Free some disk space, or change c.GpuPerf.results_file, and run the suite again."
    return Unavailable("results_not_writable", message, hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """The environment in which one side of a suite runs: a kernel spec, its Python and its variables."""

    kernel_name: str | None
    title: str
    interpreter: str
    environment: Mapping[str, str] = field(default_factory=dict)


class SuiteRun:
    """A queued, running or ended suite. Thread-safe; :meth:`run` returns when the suite has ended.

    Parameters
    ----------
    info
        The initial state.
    parameters
        Benchmark → the parameters that differ from the defaults.
    keep
        Called with the state after each result, and at the end, to store it.
    changed
        Called whenever the state has changed.
    clock
        Returns the current Unix time.
    """

    def __init__(
        self,
        info: SuiteInfo,
        *,
        benchmarks: Sequence[Benchmark],
        sides: Sequence[Side],
        parameters: Mapping[str, Mapping[str, Any]],
        jobs: JobManager,
        keep: Callable[[SuiteInfo], None],
        changed: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        self._info = info
        self._benchmarks, self._sides, self._parameters = benchmarks, sides, parameters
        self._jobs, self._keep, self._changed, self._clock = jobs, keep, changed, clock
        self._lock = threading.RLock()
        self._cancelled = False
        self._unsaved: GpuPerfError | None = None
        self._job_id: str | None = None
        self._step, self._ratio = "", 0.0
        self._remaining = RemainingTime()
        self.suites: list[SuiteResults] = []
        """The results so far, one :class:`SuiteResults` per side."""

    @property
    def info(self) -> SuiteInfo:
        """The current state, with the remaining time while the suite is running."""
        with self._lock:
            if self._info.state != "running":
                return self._info
            left = self._remaining.seconds(self._clock())
            return msgspec.structs.replace(self._info, remaining_seconds=left)

    @property
    def has_ended(self) -> bool:
        """Whether the suite is done, failed or cancelled."""
        return self._info.state not in ("queued", "running")

    def run(self) -> None:
        """Run the suite to its end. Errors are not raised, but stored in the state."""
        with self._lock:
            if self._cancelled:
                return
            self._change(state="running", progress_message="", started_seconds=self._clock())
        rounds = Rounds(
            self._benchmarks,
            [partial(self._run_one, side) for side in range(len(self._sides))],
            rounds=self._info.rounds,
            budget_seconds=self._info.budget_seconds,
            save=self._save,
            report_progress=self._report_progress,
            wall_clock=self._clock,
        )
        try:
            rounds.run()
        except GpuPerfError as error:
            if error.code == "cancelled":
                self._end("cancelled")
            else:
                self._end("failed", error)
        except Exception as error:  # a bug in one suite must not stop the queue
            logger.exception("Suite %s failed in the server.", self._info.id)
            self._end("failed", JobFailed("internal_error", str(error), "See the server log."))
        else:
            self._end("failed" if self._unsaved else "done", self._unsaved)

    def cancel(self) -> None:
        """Cancel the suite and its running job, unless the suite has ended."""
        with self._lock:
            if self.has_ended:
                return
            self._cancelled = True
            if self._job_id is not None:
                self._jobs.cancel(self._job_id)
            elif self._info.state == "queued":
                self._end("cancelled")

    def _run_one(self, side: int, name: str, parameters: Mapping[str, Any]) -> BenchmarkResult:
        job = self._followed(self._submit(side, name, parameters))
        if job.result is None:
            if job.error is None:
                raise cancelled_error()
            raise GpuPerfError(job.error.code, job.error.message, job.error.hint)
        if job.result_id is None:
            self._unsaved = unsaved_error()
        else:
            with self._lock:
                sides = list(self._info.sides)
                numbers = [*sides[side].result_ids, job.result_id]
                sides[side] = msgspec.structs.replace(sides[side], result_ids=numbers)
                self._change(sides=sides)
        return job.result

    def _submit(self, side: int, name: str, parameters: Mapping[str, Any]) -> JobInfo:
        place = self._sides[side]
        with self._lock:  # so that cancel() never runs between submitting and storing the id
            if self._cancelled:
                raise cancelled_error()
            job = self._jobs.submit(
                JobRequest(
                    benchmark=name,
                    parameters={**parameters, **self._parameters.get(name, {})},
                    kernel_name=place.kernel_name,
                    device=self._info.device,
                ),
                interpreter=place.interpreter,
                environment=place.environment,
                suite=self._info.id,
            )
            self._job_id = job.id
            return job

    def _followed(self, job: JobInfo) -> JobInfo:
        updates: queue.SimpleQueue[JobInfo] = queue.SimpleQueue()
        unsubscribe = self._jobs.subscribe(job.id, updates.put)
        try:
            while job.state in ("queued", "running"):
                job = updates.get()
                self._progress(job)
        finally:
            unsubscribe()
            with self._lock:
                self._job_id = None
        return job

    def _report_progress(self, step: str, ratio: float) -> None:
        with self._lock:
            self._step, self._ratio = step, ratio
            self._change(progress_message=step, progress_ratio=ratio)

    def _progress(self, job: JobInfo) -> None:
        runs = len(self._sides) * len(self._benchmarks) * self._info.rounds
        ratio = min(1.0, self._ratio + job.progress_ratio / runs)
        text = self._step
        if job.progress_message:
            text = Message("{name}: {text}", name=self._step, text=job.progress_message)
        with self._lock:
            self._remaining.observe(self._clock(), ratio)
            self._change(progress_ratio=ratio, progress_message=text)

    def _save(self, suites: Sequence[SuiteResults]) -> None:
        with self._lock:
            self.suites = list(suites)
            sides = [
                msgspec.structs.replace(side, failures=suite.failures)
                for side, suite in zip(self._info.sides, suites, strict=True)
            ]
            self._change(sides=sides, rounds_done=suites[0].rounds)
        self._keep(self._info)

    def _end(self, state: JobState, error: GpuPerfError | None = None) -> None:
        with self._lock:
            self._change(
                state=state,
                error=None if error is None else ErrorInfo(**error.to_dict()),
                progress_message="",
                progress_ratio=1.0 if state == "done" else self._info.progress_ratio,
                ended_seconds=self._clock(),
            )
        self._keep(self._info)

    def _change(self, **changes: Any) -> None:
        self._info = msgspec.structs.replace(self._info, **changes)
        self._changed()
