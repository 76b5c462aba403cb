"""Two environments held against each other: what changed in them, and what got faster or slower.

Figures of one run say how sure that run is, not how much the next one differs: clocks, memory placement and
neighbours change between processes. So suites run in rounds, each in a fresh process, and it is the rounds that are
compared. Many figures are looked at together, so each must be surer than 95 %: else one in twenty would differ
between two equal environments.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_gpuperf.measure.statistics import welch_ratio
from jupyter_gpuperf.results.store import NOT_WHAT_IS_MEASURED, subject_of
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
    sides = [_by_subject(each.results) for each in (before, after)]
    shared = [subject for subject in sides[0] if subject in sides[1]]
    pairs = [
        (figure, sides[0][subject], sides[1][subject])
        for subject in shared
        for figure in compared_figures(sides[0][subject][0])
        if all(figure in each.figures for side in sides for each in side[subject])
    ]
    # What one side alone has measured tells of things that the other's results never name.
    told = [
        [each for subject in shared for each in side[subject]] or each_suite.results
        for side, each_suite in zip(sides, (before, after), strict=True)
    ]
    return SuiteComparison(
        rounds=min(before.rounds, after.rounds),
        environment=environment_changes(*told),
        figures=sorted(
            (_change(*pair, looked_at=len(pairs), in_rounds=True) for pair in pairs),
            key=lambda each: ORDER.index(each.verdict),
        ),
        only_before=_names(sides[0], sides[1]),
        only_after=_names(sides[1], sides[0]),
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
    sides = [_constants(each) for each in (before, after)]
    names = [name for name in {**sides[0], **sides[1]} if not _of_the_moment(name)]
    return [
        EnvironmentChange(name=name, before=sides[0].get(name), after=sides[1].get(name))
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    ]


def _change(
    figure: str,
    before: Sequence[BenchmarkResult],
    after: Sequence[BenchmarkResult],
    *,
    looked_at: int,
    in_rounds: bool,
) -> FigureChange:
    values = [[each.figures[figure] for each in side] for side in (before, after)]
    middle = [_middle(side) for side in values]
    ratio, verdict = NO_RATIO, UNKNOWN
    if min(each.value for side in values for each in side) > 0:
        ratio, sure = _ratios(values, looked_at)
        if not in_rounds or min(len(before), len(after)) > 1:
            verdict = _verdict(figure, before[0].unit, ratio, sure)
    return FigureChange(
        benchmark=before[0].benchmark,
        parameters=before[0].parameters,
        figure=figure,
        unit=before[0].unit,
        before=middle[0],
        after=middle[1],
        ratio=ratio,
        verdict=verdict,
        warnings=sorted(
            {said for side in (before, after) for each in side for said in each.warnings}
        ),
    )


def _ratios(values: Sequence[Sequence[Interval]], looked_at: int) -> tuple[Interval, Interval]:
    """Return the ratio with its 95 % interval, and with the wider one that a verdict takes."""
    before, after = values
    if min(len(before), len(after)) < 2:
        # One run a side: the widest that their intervals allow.
        lows = [_middle(side).low for side in values]
        highs = [_middle(side).high for side in values]
        one = Interval(
            value=_middle(after).value / _middle(before).value,
            low=lows[1] / highs[0],
            high=highs[1] / max(lows[0], 1e-300),
        )
        return one, one
    medians = [[each.value for each in side] for side in values]
    confidences = (1 - INTERVAL_ERROR_RATIO, 1 - ERROR_RATIO / looked_at)
    usual, sure = (
        Interval(**welch_ratio(medians[0], medians[1], confidence)) for confidence in confidences
    )
    return usual, sure


def _verdict(figure: str, unit: str, ratio: Interval, sure: Interval) -> Verdict:
    if sure.low <= 1 <= sure.high:
        reach = max(ratio.high - 1, 1 - ratio.low)
        return "same" if reach <= TOO_WIDE_RATIO else "unknown"
    grew = sure.low > 1
    name = figure if figure.endswith((*HIGHER_IS_BETTER, *LOWER_IS_BETTER)) else f"{figure}_{unit}"
    if name.endswith(HIGHER_IS_BETTER):  # first: bytes_per_second is a rate
        return "better" if grew else "worse"
    if name.endswith(LOWER_IS_BETTER):
        return "worse" if grew else "better"
    return "unknown"


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
        benchmark, _device, parameters = json.loads(subject_of(each))
        found.setdefault(json.dumps([benchmark, parameters], sort_keys=True), []).append(each)
    return found


def _names(side: Mapping[str, Sequence[BenchmarkResult]], other: Mapping[str, object]) -> list[str]:
    return [
        " ".join([each[0].benchmark, *_settings(each[0])])
        for subject, each in side.items()
        if subject not in other
    ]


def _settings(result: BenchmarkResult) -> list[str]:
    return [
        f"{name}={value}"
        for name, value in result.parameters.items()
        if name not in NOT_WHAT_IS_MEASURED
    ]


def _constants(results: Sequence[BenchmarkResult]) -> dict[str, Scalar | None]:
    """Return the entries that all results which have them agree on."""
    seen: dict[str, set[Scalar | None]] = {}
    for each in results:
        for name, value in each.environment.items():
            seen.setdefault(name, set()).add(value)
    return {name: next(iter(values)) for name, values in seen.items() if len(values) == 1}


def _of_the_moment(name: str) -> bool:
    return any(part in name for part in OF_THE_MOMENT)
