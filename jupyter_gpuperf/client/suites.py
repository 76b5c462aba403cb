"""Run a suite for the notebook or the shell: show its progress, and save its results to a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.client.running import run_benchmark
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.errors import require_new_file
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import BenchmarkResult, JobInfo
from jupyter_gpuperf.suites.rounds import Rounds
from jupyter_gpuperf.suites.suite_file import chosen_benchmarks, write_suite


class _SuiteProgress(ProgressView):
    """Shows one benchmark's progress as its part of the suite's progress."""

    def __init__(self, view: ProgressView, part: float) -> None:
        self._view, self._part = view, part
        self._round, self._ratio = "", 0.0

    def report_progress(self, message: str, ratio: float) -> None:
        """Set the suite's current round and progress."""
        self._round, self._ratio = message, ratio

    def show(self, job: JobInfo) -> None:
        """Show the suite's progress."""
        now = msgspec.structs.replace(
            job,
            state="running",  # the suite continues when one of its jobs has ended
            progress_ratio=self._ratio + self._part * job.progress_ratio,
            progress_message=f"{translated(self._round)}: {translated(job.progress_message)}",
        )
        self._view.show(now)

    def cancel_wanted(self) -> bool:
        """Return whether the user clicked Cancel."""
        return self._view.cancel_wanted()

    def end(self, final: object | None, status: str) -> None:
        """Do nothing: the next benchmark uses the same view."""


def run_suite(
    *,
    new_view: Callable[[], ProgressView],
    only: str,
    rounds: int,
    budget_minutes: float,
    save: Path | None,
    device: str | None,
    local: bool,
) -> SuiteView:
    """Run a suite and return its results.

    Raises
    ------
    GpuPerfError
        The benchmark is unknown, the file exists or can't be written, or the user interrupted the suite.
    """
    benchmarks = chosen_benchmarks(only)
    if save:
        require_new_file(save)
    view = new_view()
    place = _SuiteProgress(view, 1 / max(1, rounds * len(benchmarks)))

    def run_one(name: str, parameters: dict[str, Any]) -> BenchmarkResult:
        new = lambda: place
        return run_benchmark(name, parameters, device=device, local=local, new_view=new).data

    run = Rounds(
        benchmarks,
        [run_one],
        rounds=rounds,
        budget_seconds=60 * budget_minutes,
        save=lambda suites: write_suite(save, suites[0]) if save else None,
        report_progress=place.report_progress,
    )
    began = time.monotonic()
    try:
        (suite,) = run.run()
    finally:
        took = Message("The suite took {seconds:.0f} s.", seconds=time.monotonic() - began)
        view.end(None, translated(took))
    return SuiteView(suite, save)
