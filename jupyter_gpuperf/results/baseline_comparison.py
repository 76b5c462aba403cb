"""Compare a stored result with the baseline or another result, the best value on this machine, and similar results."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.results.comparison import (
    compare_results,
    compared_figures,
    environment_changes,
)
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import BenchmarkResult, KeptResult, ResultComparison, ResultSummary

HISTORY_LENGTH: Final = 50


def compare_with_baseline(
    store: ResultStore, number: int, against: int | None = None
) -> ResultComparison:
    """Compare a stored result with another one.

    Parameters
    ----------
    number
        The id of the result.
    against
        The id of the other result; by default the baseline or, without a baseline, the previous similar result.

    Raises
    ------
    NotFound
        ``unknown_result``: there is no result with one of the ids.
    BadRequest
        ``not_comparable``: the results are of different benchmarks.
    """
    result = store.get(number).result
    other = store.baseline_of(result, before=number) if against is None else store.get(against)
    if other and other.result.benchmark != result.benchmark:
        raise BadRequest(
            "not_comparable",
            "Result {number} is from {benchmark}, {other_number} from {other_benchmark}.",
            "Choose two results of the same benchmark.",
            number=number,
            benchmark=result.benchmark,
            other_number=other.id,
            other_benchmark=other.result.benchmark,
        )
    return ResultComparison(
        id=number,
        against=summary_of(other) if other else None,
        figures=compare_results(other.result, result) if other else [],
        environment=environment_changes([other.result], [result]) if other else [],
        best=best_on_machine(store, result),
        history=[summary_of(each) for each in store.similar_results(result, HISTORY_LENGTH)],
    )


def best_on_machine(store: ResultStore, result: BenchmarkResult) -> dict[str, float]:
    """Return the highest stored value of each rate that has a limit, for the benchmark and device of ``result``."""
    return store.best(result, [name for name in result.limits if name.endswith("_per_second")])


def summary_of(kept: KeptResult) -> ResultSummary:
    """Return a stored result without its samples."""
    return ResultSummary(
        id=kept.id,
        created_seconds=kept.created_seconds,
        baseline=kept.baseline,
        unit=kept.result.unit,
        figures={name: kept.result.figures[name] for name in compared_figures(kept.result)},
    )
