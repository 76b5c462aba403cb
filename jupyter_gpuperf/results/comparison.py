"""Compare two environments: find the differences between them, and the figures that got better or worse.

The interval of one run describes the precision of that run, not how much the next run differs: clocks, memory
placement and neighbouring processes change between processes. Suites therefore run in rounds, each in a new process,
and the rounds are compared. Because many figures are compared together, each needs more than 95 % confidence:
otherwise one in twenty would seem to differ between two equal environments.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.measure.statistics import welch_ratio
from jupyter_gpuperf.results.subject import measured_parameters
from jupyter_gpuperf.schemas import (
    BenchmarkResult,
    EnvironmentChange,
    FigureChange,
    Interval,
    Scalar,
    SuiteComparison,
    SuiteResults,
    Verdict,
)

ERROR_RATIO: Final = 0.02
"""Share of comparisons of two equal environments that may report any difference, if runs are independent and
log-normal. Because of drift and heavy tails, the real share is about twice as high.
"""
INTERVAL_ERROR_RATIO: Final = 0.05
"""Error rate of the displayed intervals, which are 95 % intervals."""
TOO_WIDE_RATIO: Final = 0.1
"""If the interval of a ratio extends further than this from 1, it can't show that nothing changed."""

NO_RATIO: Final = Interval(value=0.0, low=0.0, high=0.0)
"""Placeholder for figures with a value of zero, for which no ratio exists."""
UNKNOWN: Final[Verdict] = "unknown"
VERDICT_ORDER: Final[tuple[Verdict, ...]] = ("worse", "better", "unknown", "same")
"""Display order of the verdicts: changes come first."""

HIGHER_IS_BETTER: Final = ("_per_second", "speedup")
LOWER_IS_BETTER: Final = ("_seconds", "_bytes")

VARYING_ENTRIES: Final = (
    "temperature",
    "power_",
    "clock_sm_m",
    "clock_lost",
    "device_memory_bytes",
    "_shape",
    "flop_per_byte",
)
"""Parts of names: environment entries with such a name vary between runs, and don't explain a difference."""


def compare(
    before: SuiteResults, after: SuiteResults, *, in_rounds: bool = True
) -> SuiteComparison:
    """Compare two suites, and list changed figures first.

    Parameters
    ----------
    in_rounds
        With only one round, there are ratios but no verdicts. If ``False``, a difference is reported if the intervals of
        the two single runs don't overlap.
    """
    old, new = _by_subject(before.results), _by_subject(after.results)
    shared = [(old[subject], new[subject]) for subject in old if subject in new]
    pairs = [
        (figure, one, other)
        for one, other in shared
        for figure in compared_figures(one[0])
        if all(figure in each.figures for each in (*one, *other))
    ]
    # Use the environments of shared benchmarks only: entries of a benchmark that only one side has would count as
    # changes.
    old_shared, new_shared = ([each for pair in shared for each in pair[i]] for i in (0, 1))
    figures = [_change(*pair, looked_at=len(pairs), in_rounds=in_rounds) for pair in pairs]
    return SuiteComparison(
        rounds=min(before.rounds, after.rounds),
        environment=environment_changes(old_shared or before.results, new_shared or after.results),
        figures=sorted(figures, key=lambda each: VERDICT_ORDER.index(each.verdict)),
        only_before=[_name(each[0]) for subject, each in old.items() if subject not in new],
        only_after=[_name(each[0]) for subject, each in new.items() if subject not in old],
    )


def compare_results(before: BenchmarkResult, after: BenchmarkResult) -> list[FigureChange]:
    """Compare the figures of two results. A difference is reported only if the intervals don't overlap."""
    return [
        _change(figure, [before], [after], looked_at=1, in_rounds=False)
        for figure in compared_figures(before)
        if figure in after.figures
    ]


def compared_figures(result: BenchmarkResult) -> list[str]:
    """Return the names of the measured figures, without figures derived from them."""
    measured = [name for name in result.figures if name in result.samples]
    return measured or list(result.figures)


def environment_changes(
    before: Sequence[BenchmarkResult], after: Sequence[BenchmarkResult]
) -> list[EnvironmentChange]:
    """Return the differences between two environments, for entries that are the same in all results of a side."""
    old, new = _constants(before), _constants(after)
    return [
        EnvironmentChange(name=name, before=old.get(name), after=new.get(name))
        for name in old | new
        if old.get(name) != new.get(name) and not any(part in name for part in VARYING_ENTRIES)
    ]


def _change(
    figure: str,
    before: Sequence[BenchmarkResult],
    after: Sequence[BenchmarkResult],
    *,
    looked_at: int,
    in_rounds: bool,
) -> FigureChange:
    old, new = ([each.figures[figure] for each in side] for side in (before, after))
    ratio, verdict = NO_RATIO, UNKNOWN
    if min(each.value for each in (*old, *new)) > 0:
        ratio, sure = _ratios(old, new, looked_at)
        if not in_rounds or min(len(before), len(after)) > 1:
            verdict = _verdict(figure, before[0].unit, ratio, sure)
    return FigureChange(
        benchmark=before[0].benchmark,
        parameters=before[0].parameters,
        figure=figure,
        unit=before[0].unit,
        before=_middle(old),
        after=_middle(new),
        ratio=ratio,
        verdict=verdict,
        warnings=sorted({warning for each in (*before, *after) for warning in each.warnings}),
    )


def _ratios(
    before: Sequence[Interval], after: Sequence[Interval], looked_at: int
) -> tuple[Interval, Interval]:
    """Return the ratio with its 95 % interval, and with the wider interval that a verdict requires."""
    if min(len(before), len(after)) < 2:
        # One run per side: use the widest ratio that the two intervals allow.
        old, new = _middle(before), _middle(after)
        high = new.high / max(old.low, 1e-300)
        widest = Interval(
            value=new.value / old.value, low=new.low / max(old.high, 1e-300), high=high
        )
        return widest, widest
    old_values, new_values = ([each.value for each in side] for side in (before, after))
    usual = welch_ratio(old_values, new_values, 1 - INTERVAL_ERROR_RATIO)
    sure = welch_ratio(old_values, new_values, 1 - ERROR_RATIO / looked_at)
    return Interval(**usual), Interval(**sure)


def _verdict(figure: str, unit: str, ratio: Interval, sure: Interval) -> Verdict:
    if sure.low <= 1 <= sure.high:
        reach = max(ratio.high - 1, 1 - ratio.low)
        return "same" if reach <= TOO_WIDE_RATIO else "unknown"
    rate = is_rate(figure, unit)
    if rate is None:
        return "unknown"
    return "better" if rate == (sure.low > 1) else "worse"


def is_rate(figure: str, unit: str) -> bool | None:
    """Return whether a higher value is better; ``None`` if that is unknown."""
    name = figure if figure.endswith((*HIGHER_IS_BETTER, *LOWER_IS_BETTER)) else f"{figure}_{unit}"
    if name.endswith(HIGHER_IS_BETTER):  # includes bytes_per_second
        return True
    return False if name.endswith(LOWER_IS_BETTER) else None


def _middle(values: Sequence[Interval]) -> Interval:
    """Return a single run unchanged; for several runs, their median with the range that their intervals cover."""
    if len(values) == 1:
        return values[0]
    return Interval(
        value=statistics.median(each.value for each in values),
        low=min(each.low for each in values),
        high=max(each.high for each in values),
    )


def _by_subject(results: Sequence[BenchmarkResult]) -> dict[str, list[BenchmarkResult]]:
    """Group the rounds by benchmark and settings, but not by device, which may be the change to compare."""
    found: dict[str, list[BenchmarkResult]] = {}
    for each in results:
        subject = json.dumps([each.benchmark, measured_parameters(each)], sort_keys=True)
        found.setdefault(subject, []).append(each)
    return found


def _name(result: BenchmarkResult) -> str:
    settings = measured_parameters(result).items()
    return " ".join([result.benchmark, *(f"{name}={value}" for name, value in settings)])


def _constants(results: Sequence[BenchmarkResult]) -> dict[str, Scalar | None]:
    """Return the environment entries that have the same value in all results that contain them."""
    seen: dict[str, set[Scalar | None]] = {}
    for each in results:
        for name, value in each.environment.items():
            seen.setdefault(name, set()).add(value)
    return {name: next(iter(values)) for name, values in seen.items() if len(values) == 1}
