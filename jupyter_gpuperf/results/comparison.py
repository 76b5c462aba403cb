"""Two environments held against each other: what changed in them, and what got faster or slower.

Figures of one run say how sure that run is, not how much the next one differs: clocks, memory placement and
neighbours change between processes. So suites run in rounds, each in a fresh process, and it is the rounds that are
compared. Many figures are looked at together, so each must be surer than 95 %: else one in twenty would differ
between two equal environments.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.measure.statistics import welch_ratio
from jupyter_gpuperf.results.store import settings_of
from jupyter_gpuperf.schemas import (
    BenchmarkResult,
    EnvironmentChange,
    FigureChange,
    Interval,
    Scalar,
    Suite,
    SuiteComparison,
    Verdict,
)

ERROR_RATIO: Final = 0.02
"""How often a comparison of two equal environments may name any difference at all, were runs independent and
their logarithms normal. They are neither quite: drifts and heavy tails make it about twice as often."""
INTERVAL_ERROR_RATIO: Final = 0.05
"""Of the intervals that are shown: 95 %, as everywhere."""
TOO_WIDE_RATIO: Final = 0.1
"""An interval that reaches further than this from 1 can't say that nothing changed."""

NO_RATIO: Final = Interval(value=0.0, low=0.0, high=0.0)
"""Of figures that are zero somewhere, which have none."""
UNKNOWN: Final[Verdict] = "unknown"
ORDER: Final[tuple[Verdict, ...]] = ("worse", "better", "unknown", "same")
"""What changed is read first."""

HIGHER_IS_BETTER: Final = ("_per_second", "_speedup")
LOWER_IS_BETTER: Final = ("_seconds", "_bytes")

OF_THE_MOMENT: Final = (
    "temperature",
    "power_",
    "clock_sm_m",
    "clock_lost",
    "device_memory_bytes",
    "_shape",
    "flop_per_byte",
)
"""Entries of an environment that differ from run to run and name no cause."""


def compare(before: Suite, after: Suite) -> SuiteComparison:
    """Hold two suites against each other, what changed first; of a single round only ratios are told."""
    old, new = _by_subject(before.results), _by_subject(after.results)
    shared = [(old[subject], new[subject]) for subject in old if subject in new]
    pairs = [
        (figure, one, other)
        for one, other in shared
        for figure in compared_figures(one[0])
        if all(figure in each.figures for each in (*one, *other))
    ]
    # What one side alone has measured tells of things that the other's results never name.
    told = [[each for pair in shared for each in pair[side]] for side in (0, 1)]
    figures = [_change(*pair, looked_at=len(pairs), in_rounds=True) for pair in pairs]
    return SuiteComparison(
        rounds=min(before.rounds, after.rounds),
        environment=environment_changes(told[0] or before.results, told[1] or after.results),
        figures=sorted(figures, key=lambda each: ORDER.index(each.verdict)),
        only_before=[_name(each[0]) for subject, each in old.items() if subject not in new],
        only_after=[_name(each[0]) for subject, each in new.items() if subject not in old],
    )


def compare_results(before: BenchmarkResult, after: BenchmarkResult) -> list[FigureChange]:
    """Hold one result against another: a difference is named only when their intervals part."""
    return [
        _change(figure, [before], [after], looked_at=1, in_rounds=False)
        for figure in compared_figures(before)
        if figure in after.figures
    ]


def compared_figures(result: BenchmarkResult) -> list[str]:
    """Return the figures that were measured, without those derived from them."""
    measured = [name for name in result.figures if name in result.samples]
    return measured or list(result.figures)


def environment_changes(
    before: Sequence[BenchmarkResult], after: Sequence[BenchmarkResult]
) -> list[EnvironmentChange]:
    """Return what differs between two environments, as far as each side agrees with itself."""
    old, new = _constants(before), _constants(after)
    return [
        EnvironmentChange(name=name, before=old.get(name), after=new.get(name))
        for name in old | new
        if old.get(name) != new.get(name) and not any(part in name for part in OF_THE_MOMENT)
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
        warnings=sorted({said for each in (*before, *after) for said in each.warnings}),
    )


def _ratios(
    before: Sequence[Interval], after: Sequence[Interval], looked_at: int
) -> tuple[Interval, Interval]:
    """Return the ratio with its 95 % interval, and with the wider one that a verdict takes."""
    if min(len(before), len(after)) < 2:
        # One run a side: the widest that their intervals allow.
        old, new = _middle(before), _middle(after)
        high = new.high / max(old.low, 1e-300)
        widest = Interval(value=new.value / old.value, low=new.low / old.high, high=high)
        return widest, widest
    old_values, new_values = ([each.value for each in side] for side in (before, after))
    usual = welch_ratio(old_values, new_values, 1 - INTERVAL_ERROR_RATIO)
    sure = welch_ratio(old_values, new_values, 1 - ERROR_RATIO / looked_at)
    return Interval(**usual), Interval(**sure)


def _verdict(figure: str, unit: str, ratio: Interval, sure: Interval) -> Verdict:
    if sure.low <= 1 <= sure.high:
        reach = max(ratio.high - 1, 1 - ratio.low)
        return "same" if reach <= TOO_WIDE_RATIO else "unknown"
    name = figure if figure.endswith((*HIGHER_IS_BETTER, *LOWER_IS_BETTER)) else f"{figure}_{unit}"
    is_rate = name.endswith(HIGHER_IS_BETTER)  # bytes_per_second is one, too
    if not is_rate and not name.endswith(LOWER_IS_BETTER):
        return "unknown"
    return "better" if is_rate == (sure.low > 1) else "worse"


def _middle(values: Sequence[Interval]) -> Interval:
    """Return one run as it is, and of several the median with the range of their intervals."""
    if len(values) == 1:
        return values[0]
    return Interval(
        value=statistics.median(each.value for each in values),
        low=min(each.low for each in values),
        high=max(each.high for each in values),
    )


def _by_subject(results: Sequence[BenchmarkResult]) -> dict[str, list[BenchmarkResult]]:
    """Group the rounds of each benchmark; the device is no part of it: it may be what changed."""
    found: dict[str, list[BenchmarkResult]] = {}
    for each in results:
        subject = json.dumps([each.benchmark, settings_of(each)], sort_keys=True)
        found.setdefault(subject, []).append(each)
    return found


def _name(result: BenchmarkResult) -> str:
    settings = settings_of(result).items()
    return " ".join([result.benchmark, *(f"{name}={value}" for name, value in settings)])


def _constants(results: Sequence[BenchmarkResult]) -> dict[str, Scalar | None]:
    """Return the entries that all results which have them agree on."""
    seen: dict[str, set[Scalar | None]] = {}
    for each in results:
        for name, value in each.environment.items():
            seen.setdefault(name, set()).add(value)
    return {name: next(iter(values)) for name, values in seen.items() if len(values) == 1}
