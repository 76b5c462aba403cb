"""A suite from the notebook or the shell: runs it, shows what comes, keeps it in a file."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.benchmarks import all_benchmarks
from jupyter_gpuperf.jobs.suite import SuiteRun, chosen, write_suite
from jupyter_gpuperf.magics import style
from jupyter_gpuperf.magics.kept import cells
from jupyter_gpuperf.magics.progress import View
from jupyter_gpuperf.magics.running import run_benchmark
from jupyter_gpuperf.schemas import BenchmarkResult, JobInfo, KeptResult, Suite


@dataclass(frozen=True)
class SuiteView:
    """A suite's results, the last round of each, and what could not run."""

    data: Suite
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return the whole suite as plain data: what ``--save`` writes."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max((len(row[place]) for row in rows), default=0) for place in range(2)]
        lines = [self._title]
        lines += [f"  {name:<{widths[0]}}  {figures}".rstrip() for name, figures in rows]
        return "\n".join([*lines, *(f"  {line}" for line in self._left_out())])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><td {style.LABEL}>{html.escape(name)}</td>"
            f"<td {style.LABEL}>{html.escape(figures)}</td></tr>"
            for name, figures in self._rows()
        )
        left_out = "".join(
            f"<div {style.QUIET}>{html.escape(line)}</div>" for line in self._left_out()
        )
        return (
            f"<div {style.BOX}><b>{html.escape(self._title)}</b>"
            f"<table {style.TABLE}><tbody>{body}</tbody></table>{left_out}</div>"
        )

    @property
    def _title(self) -> str:
        where = f", in {self.path}" if self.path else ""
        return f"Suite of {self.data.rounds} rounds, {len(self.data.results)} results{where}"

    def _rows(self) -> list[tuple[str, str]]:
        last = {(each.benchmark, str(each.parameters)): each for each in self.data.results}
        rows = []
        for each in last.values():
            kept = KeptResult(id=0, created_seconds=0.0, baseline=False, result=each)
            _, _, name, _, figures = cells(kept)
            rows.append((name, figures))
        return rows

    def _left_out(self) -> list[str]:
        return [
            f"Left out: {each.benchmark}. {each.error.message} {each.error.hint}"
            for each in self.data.failures
        ]


class _OneOfMany:
    """Shows one benchmark's progress as its part of the suite's."""

    def __init__(self, view: View, words: str, ratio: float, part: float) -> None:
        self._view, self._words, self._ratio, self._part = view, words, ratio, part

    def show(self, job: JobInfo) -> None:
        """Show where the suite is."""
        self._view.show(
            msgspec.structs.replace(
                job,
                state="running",  # the suite goes on when a job of it has ended
                progress_ratio=self._ratio + self._part * job.progress_ratio,
                progress_message=f"{self._words}: {job.progress_message}",
            )
        )

    def cancel_wanted(self) -> bool:
        """Tell whether the user clicked Cancel."""
        return self._view.cancel_wanted()

    def end(self, final: object | None, words: str) -> None:
        """Leave the view to the next."""


def run_suite(
    new_view: Callable[[], View],
    *,
    only: str,
    rounds: int,
    budget_seconds: float,
    save: Path | None,
    device: str | None,
    local: bool,
) -> SuiteView:
    """Run a suite to its end.

    Raises
    ------
    GpuPerfError
        An unknown benchmark, a file that can't be written, or the user's interrupt.
    """
    benchmarks = chosen(all_benchmarks(), only)
    view = new_view()
    now: list[tuple[str, float]] = [("", 0.0)]
    part = 1 / max(1, rounds * len(benchmarks))

    def run_one(name: str, parameters: dict[str, Any]) -> BenchmarkResult:
        place = _OneOfMany(view, *now[0], part)
        return run_benchmark(
            name, parameters, device=device, local=local, new_view=lambda: place,
            display_result=False,
        ).data  # fmt: skip

    def keep(suite: Suite) -> None:
        if save is not None:
            write_suite(save, suite)

    run = SuiteRun(
        benchmarks,
        run_one,
        rounds=rounds,
        budget_seconds=budget_seconds,
        save=keep,
        say=lambda words, ratio: now.__setitem__(0, (words, ratio)),
    )
    began = time.monotonic()
    try:
        suite = run.run()
    finally:
        view.end(None, f"The suite took {time.monotonic() - began:.0f} s.")
    return SuiteView(suite, save)
