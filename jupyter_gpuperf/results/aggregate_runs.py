"""Combine several runs of a benchmark into one result whose interval also predicts the next run.

The interval of a single run describes only the precision of that run. The next process has different memory addresses,
clocks and neighbouring processes: on many machines, its value lies outside that interval. A rigorous measurement
therefore uses several new processes. Its interval contains the next run in 95 % of cases (a prediction interval based
on Student's t), and is never narrower than the interval of a single run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from jupyter_gpuperf.measure.statistics import student_t_quantile
from jupyter_gpuperf.schemas import BenchmarkResult, Interval, Scalar

RIGOROUS_RUNS: Final = 5
"""Number of processes of a rigorous measurement."""


def run_count(parameters: Mapping[str, Scalar]) -> int:
    """Return the number of processes in which a benchmark with these parameters runs."""
    return RIGOROUS_RUNS if parameters.get("rigorous") is True else 1


def combine_runs(results: Sequence[BenchmarkResult]) -> BenchmarkResult:
    """Return the runs of a benchmark as one result; a single run is returned unchanged."""
    if len(results) == 1:
        return results[0]
    last = results[-1]
    shared = [name for name in last.figures if all(name in each.figures for each in results)]
    return msgspec.structs.replace(
        last,
        figures={
            name: next_run_interval([each.figures[name] for each in results]) for name in shared
        },
        samples={
            name: [value for each in results for value in each.samples.get(name, ())]
            for name in last.samples
        },
        environment={**last.environment, "processes_measured": len(results)},
        warnings=list(dict.fromkeys(warning for each in results for warning in each.warnings)),
    )


def next_run_interval(runs: Sequence[Interval]) -> Interval:
    """Return the median of the runs, with the 95 % prediction interval for the next run."""
    values = [each.value for each in runs]
    middle = statistics.median(values)
    low = statistics.median(each.low for each in runs)
    high = statistics.median(each.high for each in runs)
    ends = values
    if min(values) > 0:
        logs = [math.log(value) for value in values]
        quantile = student_t_quantile(0.975, len(logs) - 1)
        reach = quantile * statistics.stdev(logs) * math.sqrt(1 + 1 / len(logs))
        ends = [math.exp(statistics.fmean(logs) + end) for end in (-reach, reach)]
    return Interval(value=middle, low=min(low, middle, *ends), high=max(high, middle, *ends))
