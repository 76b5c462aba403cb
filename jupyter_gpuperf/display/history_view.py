"""Results of before: the list of them, and what a new one is held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.comparison_view import QUIET_PARAMETERS, against_lines, when_words
from jupyter_gpuperf.display.document import Block, Displayed, Line, Table
from jupyter_gpuperf.display.numbers import interval_words, setting_words, split_name
from jupyter_gpuperf.results.comparison import compare_results, compared_figures
from jupyter_gpuperf.results.store import ResultStore, default_path, device_of
from jupyter_gpuperf.schemas import BenchmarkResult, KeptResult

HEAD: Final = ("number", "when", "benchmark", "device", "figures")
LISTED: Final = 20


@dataclass(frozen=True, repr=False)
class History(Displayed):
    """Kept results, newest first."""

    results: Sequence[KeptResult]

    def to_dict(self) -> dict[str, Any]:
        """Return all of them as plain data, as ``GET results`` answers."""
        return {"results": msgspec.to_builtins(list(self.results))}

    def blocks(self) -> Iterator[Block]:
        """Yield a row per result."""
        if self.results:
            rows = [cells(each) for each in self.results]
            yield Table(rows, looks=("label",) * len(HEAD), head=HEAD)
        else:
            yield Line("Nothing was kept yet.")


def cells(kept: KeptResult) -> tuple[str, ...]:
    """Return one result as a row."""
    result = kept.result
    settings = " · ".join(
        setting_words(name, value)
        for name, value in result.parameters.items()
        if name not in QUIET_PARAMETERS and value not in (False, "")
    )
    figures = []
    for name in compared_figures(result):
        label, unit = split_name(name, result.unit)
        value, around = interval_words(result.figures[name], unit)
        figures.append(f"{label} {value} {around}".rstrip())
    return (
        f"{kept.id}{' baseline' if kept.baseline else ''}",
        when_words(kept.created_seconds),
        f"{result.benchmark} {settings}".rstrip(),
        device_of(result),
        ", ".join(figures),
    )


def history(benchmark: str | None = None, limit: int = LISTED, baseline: int = 0) -> History:
    """Return the newest kept results; with ``baseline``, hold later ones against that one first.

    Raises
    ------
    GpuPerfError
        The file can't be read, or has no result of this number.
    """
    store = ResultStore(default_path())
    if baseline:
        store.mark_baseline(baseline)
    return History(store.newest(benchmark, limit))


def held_against_baseline(result: BenchmarkResult, number: int | None) -> list[str]:
    """Return how a result compares with the baseline, or with the one before it, in lines."""
    kept = ResultStore(default_path()).baseline_of(result, before=number)
    if kept is None:
        return ["Nothing to hold it against yet: the next one like it will be."]
    return against_lines(kept, compare_results(kept.result, result))
