"""Measure how reliable results are: re-runs inside the interval, and false differences between equal environments.

    python tests/perf/repeatability.py [--benchmarks compute,launch] [--runs 12] [--time-limit 5] [--json]

It runs each benchmark ``--runs`` times, the benchmarks in alternation, each run in its own process. For each figure it
prints the share of re-runs inside another run's interval (over all ordered pairs), and the spread between runs. Five
consecutive runs make one rigorous result, as in the product; it prints the share of all other runs inside its interval.
Then consecutive runs are grouped into suites, and all pairs of suites are compared. Every difference that a comparison
reports is false.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from jupyter_gpuperf.benchmarks import find
from jupyter_gpuperf.client.running import run_benchmark
from jupyter_gpuperf.display.progress import terminal_view
from jupyter_gpuperf.results.aggregate_runs import RIGOROUS_RUNS, combine_runs
from jupyter_gpuperf.results.comparison import compare, compared_figures
from jupyter_gpuperf.schemas import BenchmarkResult, SuiteResults
from jupyter_gpuperf.suites.rounds import ROUNDS


def run_all(
    names: Sequence[str], runs: int, limit_seconds: float, budget_seconds: float
) -> list[list[BenchmarkResult]]:
    """Return the results of each run of all benchmarks, until the budget is used up."""
    found: list[list[BenchmarkResult]] = []
    began = time.monotonic()
    for number in range(runs):
        if time.monotonic() - began > budget_seconds:
            break
        print(f"run {number + 1} of {runs}", file=sys.stderr)
        one = []
        for name in names:
            known = {each.name for each in find(name).parameters}
            limit = {"time_limit_seconds": limit_seconds} if "time_limit_seconds" in known else {}
            result = run_benchmark(
                name, limit, device=None, local=True, new_view=terminal_view, display_result=False
            )
            one.append(result.data)
        found.append(one)
    return found


def inside(results: Sequence[BenchmarkResult], figure: str) -> float:
    """Return the share of ordered pairs of runs in which the second value is inside the first run's interval."""
    intervals = [each.figures[figure] for each in results]
    pairs = list(itertools.permutations(intervals, 2))
    return sum(first.low <= second.value <= first.high for first, second in pairs) / len(pairs)


def rigorous_inside(results: Sequence[BenchmarkResult], figure: str) -> float | None:
    """Return the share of runs inside the rigorous interval of five other, consecutive runs; ``None`` if too few."""
    hits = []
    for begin in range(0, len(results) - RIGOROUS_RUNS + 1, RIGOROUS_RUNS):
        group = range(begin, begin + RIGOROUS_RUNS)
        stated = combine_runs([results[each] for each in group]).figures[figure]
        hits += [
            stated.low <= each.figures[figure].value <= stated.high
            for index, each in enumerate(results)
            if index not in group
        ]
    return sum(hits) / len(hits) if hits else None


def spread(results: Sequence[BenchmarkResult], figure: str) -> float:
    """Return the standard deviation of the runs' values as a ratio of their mean."""
    values = [each.figures[figure].value for each in results]
    return statistics.stdev(values) / statistics.fmean(values)


def false_differences(runs: Sequence[Sequence[BenchmarkResult]]) -> tuple[int, int]:
    """Return the number of suite comparisons that report a difference, and the number of all comparisons."""
    # Group consecutive runs, as in a real suite, so that a slow drift shows between two suites.
    count = len(runs) // ROUNDS
    suites = [
        SuiteResults(
            format="gpuperf-suite",
            format_version=1,
            created_seconds=0.0,
            rounds=ROUNDS,
            results=[each for run in runs[ROUNDS * index : ROUNDS * (index + 1)] for each in run],
            failures=[],
        )
        for index in range(count)
    ]
    named = [
        any(each.verdict in ("better", "worse") for each in compare(*pair).figures)
        for pair in itertools.combinations(suites, 2)
    ]
    return sum(named), len(named)


def main() -> None:
    """Run the benchmarks, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmarks", default="compute,launch")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--time-limit", type=float, default=5.0)
    parser.add_argument("--budget-seconds", type=float, default=3600.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.benchmarks.split(",")
    runs = run_all(names, options.runs, options.time_limit, options.budget_seconds)
    answer: dict[str, Any] = {}
    for index, name in enumerate(names):
        results = [run[index] for run in runs]
        for figure in compared_figures(results[0]):
            answer[f"{name} {figure}"] = {
                "inside_ratio": round(inside(results, figure), 3),
                "rigorous_inside_ratio": rigorous_inside(results, figure),
                "spread_ratio": round(spread(results, figure), 4),
                "values": [each.figures[figure].value for each in results],
            }
    named, looked_at = false_differences(runs)
    answer["false differences"] = {"named": named, "comparisons": looked_at}
    if options.json:
        print(json.dumps(answer))
    else:
        for name, found in answer.items():
            print(name, {key: value for key, value in found.items() if key != "values"})


if __name__ == "__main__":
    main()
