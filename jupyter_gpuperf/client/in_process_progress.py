"""A job in the notebook's own process, shown in the notebook's view and in the panel."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.display.progress import ProgressView, format_status
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.jobs.job import new_record
from jupyter_gpuperf.jobs.run_hooks import FinishedRun
from jupyter_gpuperf.kernel_link.job_reporter import JobReporter
from jupyter_gpuperf.schemas import (
    BenchmarkResult,
    ErrorInfo,
    Interval,
    JobInfo,
    Scalar,
    SpeedupReport,
)

LONGEST_CODE_CHARACTERS: Final = 8000
"""Longer code is not sent. At four bytes per character, this is half of the server's maximum line length."""


class CancelClicked(BaseException):
    """The user clicked Cancel. Not an ``Exception``, because datasets often catch every exception and retry."""


class InProcessJob:
    """Shows a job's progress in its view, and checks the view for a click on Cancel.

    Attributes
    ----------
    final, finished_run, failure
        Set when the job ends: the object for the user, the stored result, the error.
    so_far
        What to show in the notebook if the job is cancelled.
    """

    final: object | None = None
    so_far: object | None = None
    finished_run: FinishedRun | None = None
    failure: ErrorInfo | None = None

    def __init__(self, name: str, view: ProgressView) -> None:
        self._view = view
        now = time.time()
        self._job = new_record(name, {}, created_seconds=now, started_seconds=now, state="running")

    def report_progress(self, ratio: float, message: str) -> None:
        """Show the progress.

        Raises
        ------
        CancelClicked
            The user clicked Cancel.
        """
        self._job = msgspec.structs.replace(
            self._job, progress_ratio=min(max(ratio, 0.0), 1.0), progress_message=message
        )
        self._view.show(self._job)
        if self._view.cancel_wanted():
            raise CancelClicked

    def ended_job(self) -> JobInfo:
        """Return the job in its final state."""
        state = "failed" if self.failure else "cancelled" if self.final is None else "done"
        ended = {"state": state, "ended_seconds": time.time(), "error": self.failure}
        return msgspec.structs.replace(self._job, **ended)


@contextmanager
def in_process_job(
    name: str,
    view: ProgressView,
    *,
    display_result: bool,
    cancelled_by: tuple[type[BaseException], ...] = (KeyboardInterrupt, CancelClicked),
) -> Iterator[InProcessJob]:
    """Show the block's work as a job; at the end replace the view with the job's ``final``.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        The request was refused.
    """
    job = InProcessJob(name, view)
    try:
        yield job
    except cancelled_by:
        raise BenchmarkCancelled(name) from None
    except GpuPerfError as error:
        job.failure = job.failure or ErrorInfo(**error.to_dict())
        raise BenchmarkError.of(error) from None
    except (Exception, SystemExit) as error:
        job.failure = job.failure or ErrorInfo(
            code="unexpected_error",
            message=traceback.format_exception_only(error)[-1].strip(),
            hint="",
        )
        raise
    finally:
        ended = job.ended_job()
        view.end(
            (job.final or job.so_far) if display_result else None, format_status(ended, time.time())
        )
        if isinstance(view, ReportingView):
            view.report_end(ended, job.finished_run)


class ReportingView(ProgressView):
    """Shows a job in the notebook and in the panel. The panel also gets what was found so far."""

    def __init__(
        self,
        view: ProgressView,
        parameters: Mapping[str, Scalar],
        reporter: JobReporter | None = None,
    ) -> None:
        self._view, self._parameters = view, dict(parameters)
        self._reporter = reporter or JobReporter()
        self._figures: dict[str, Interval] = {}
        self._speedup: SpeedupReport | None = None
        self._is_new = False
        """Whether something was found that the panel does not have."""

    def show(self, job: JobInfo) -> None:
        """Show the job in both places."""
        self._view.show(job)
        self._reporter.report(self._with_result(job, self._partial(job)), at_once=self._is_new)
        self._is_new = False

    def cancel_wanted(self) -> bool:
        """Return whether the job was cancelled in either place."""
        return self._view.cancel_wanted() or self._reporter.cancel_wanted()

    def add(self, setting: str, rate: Mapping[str, float] | None) -> None:
        """Add a trial's rate to the figures, unless it is ``None``."""
        if rate is not None:
            self._figures[f"{setting}_batches_per_second"] = Interval(**rate)

    def set_speedup(self, so_far: SpeedupReport) -> None:
        """Set what a search for a faster cell has found so far."""
        self._speedup, self._is_new = so_far, True

    def end(self, final: object | None, status: str) -> None:
        """End the notebook's view."""
        self._view.end(final, status)

    def report_end(self, job: JobInfo, finished: FinishedRun | None) -> None:
        """Report the job's final state to the panel, and disconnect."""
        short = self._partial(job)
        if finished is not None:
            job = msgspec.structs.replace(job, result_id=finished.number)
            short = shortened(finished.result)
        self._reporter.end(self._with_result(job, short))

    def _with_result(self, job: JobInfo, result: BenchmarkResult | None) -> JobInfo:
        return msgspec.structs.replace(job, parameters=self._parameters, result=result)

    def _partial(self, job: JobInfo) -> BenchmarkResult | None:
        if not self._figures and self._speedup is None:
            return None
        return BenchmarkResult(
            benchmark=job.benchmark,
            parameters=self._parameters,
            unit="seconds",
            figures=dict(self._figures),
            samples={},
            environment={},
            limits={},
            warnings=[],
            speedup=self._speedup,
        )


def shortened(result: BenchmarkResult) -> BenchmarkResult:
    """Return a copy of the result, short enough to send in one line; the stored result is complete."""
    environment = {name: value for name, value in result.environment.items() if name != "tuning"}
    short = msgspec.structs.replace(result, samples={}, environment=environment)
    if short.speedup is not None:
        report = msgspec.structs.replace(short.speedup, losses=None, setup="")
        short = msgspec.structs.replace(short, speedup=report)
    for name in ("precision", "speedup"):
        report = getattr(short, name)
        if report is not None and len(report.code) > LONGEST_CODE_CHARACTERS:
            without = msgspec.structs.replace(report, code="")
            short = msgspec.structs.replace(short, **{name: without})
    return short
