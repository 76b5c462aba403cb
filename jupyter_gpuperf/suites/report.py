"""Build the report of a suite: the comparison of two environments, or the figures of one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from jupyter_gpuperf.results.aggregate_runs import combine_runs
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.schemas import BenchmarkResult, SuiteInfo, SuiteReport, SuiteResults


def build_suite_report(info: SuiteInfo, suites: Sequence[SuiteResults]) -> SuiteReport:
    """Return the report of a suite with its results so far; ``suites`` has one item per environment."""
    if len(suites) == 2:
        return SuiteReport(suite=info, comparison=compare(*suites), results=[])
    return SuiteReport(suite=info, comparison=None, results=combine_rounds(suites[0]))


def combine_rounds(suite: SuiteResults) -> list[BenchmarkResult]:
    """Combine the rounds of each benchmark into one result, without samples; see :func:`combine_runs`."""
    rounds: dict[str, list[BenchmarkResult]] = {}
    for each in suite.results:
        rounds.setdefault(each.benchmark, []).append(each)
    return [
        msgspec.structs.replace(combine_runs(each), samples={name: [] for name in each[-1].samples})
        for each in rounds.values()
    ]
