"""List stored results, and compare a new result with an earlier one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.blocks import Block, Line, Table
from jupyter_gpuperf.display.comparison_view import (
    comparison_lines,
    distinguishing_parameters,
    format_time,
)
from jupyter_gpuperf.display.document import Displayed, joined
from jupyter_gpuperf.display.numbers import format_interval, split_name
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.comparison import compare_results, compared_figures
from jupyter_gpuperf.results.store import ResultStore, default_path
from jupyter_gpuperf.results.subject import device_of
from jupyter_gpuperf.schemas import BenchmarkResult, KeptResult

HEAD: Final = (
    *(Message("number"), Message("date"), Message("benchmark"), Message("device")),
    Message("figures"),
)
LIMIT: Final = 20
"""How many results are listed by default."""


@dataclass(frozen=True, repr=False)
class HistoryView(Displayed):
    """Stored results, latest first."""

    results: Sequence[KeptResult]

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain data, as ``GET results`` does."""
        return {"results": msgspec.to_builtins(list(self.results), enc_hook=str)}

    def blocks(self) -> Iterator[Block]:
        """Yield a row per result."""
        if self.results:
            rows = [row_of(each) for each in self.results]
            yield Table(rows, looks=("label",) * len(HEAD), head=HEAD)
        else:
            yield Line(Message("No results are stored yet."))


def row_of(kept: KeptResult) -> tuple[str, ...]:
    """Return one result as a table row."""
    number = joined([str(kept.id), Message("baseline") if kept.baseline else ""], " ")
    name, figures = name_and_figures(kept.result)
    return number, format_time(kept.created_seconds), name, device_of(kept.result), figures


def name_and_figures(result: BenchmarkResult) -> tuple[str, str]:
    """Return the benchmark's name with its distinguishing parameters, and its figures."""
    figures = []
    for name in compared_figures(result):
        label, unit = split_name(name, result.unit)
        figures.append(joined([label, *format_interval(result.figures[name], unit)], " "))
    name = f"{result.benchmark} {distinguishing_parameters(result.parameters)}".rstrip()
    return name, ", ".join(figures)


def history(benchmark: str | None = None, limit: int = LIMIT, baseline: int = 0) -> HistoryView:
    """Return the latest stored results; first make result number ``baseline`` the baseline, unless it is 0.

    Raises
    ------
    GpuPerfError
        The file can't be read, or has no result with this number.
    """
    store = ResultStore(default_path())
    if baseline:
        store.mark_baseline(baseline)
    return HistoryView(store.latest(benchmark, limit))


def compared_with_baseline(result: Result) -> Result:
    """Add a comparison with the baseline or the previous run to a result, or the reason why there is none."""
    lines: list[str] = [Message("No earlier result to compare with; the next run will have one.")]
    try:
        kept = ResultStore(default_path()).baseline_of(result.data, before=result.number)
        if kept is not None:
            lines = comparison_lines(kept, compare_results(kept.result, result.data))
    except GpuPerfError as error:
        lines = [error.message]
    return dataclasses.replace(result, comparison=lines)
