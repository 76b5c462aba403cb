"""Decide whether a change made anything slower than a limit, for a CI job: passed, worse, or inconclusive."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.comparison import is_rate
from jupyter_gpuperf.schemas import FigureChange, Interval, SuiteComparison, SuiteResults

CLOCK: Final = "clock_sm_mhz"
CLOCK_RATIO: Final = 1.05
"""If the median clocks of two suites differ by more, the clock may be the only difference."""

ONE_ROUND: Final = Message(
    "Only one round: the variation between runs is unknown. Use more rounds."
)

Status = Literal["passed", "worse", "unknown"]


class Gate(NamedTuple):
    """The decision, and what it rests on, one sentence each."""

    limit_percent: float
    status: Status
    reasons: list[str]


def gate(
    comparison: SuiteComparison,
    before: SuiteResults,
    after: SuiteResults,
    limit_percent: float,
    *,
    in_rounds: bool = True,
) -> Gate:
    """Return whether any time is longer, or any rate lower, by more than ``limit_percent`` beyond its interval.

    It is inconclusive if the suites ran on different chips or at different clocks, if one has a benchmark or a batch size
    that the other has not, if an interval contains the limit, or if there was only one round of benchmarks that run in
    rounds.
    """
    differences: list[str] = list(_differences(comparison, before, after))
    if in_rounds and comparison.rounds < 2:
        differences.insert(0, ONE_ROUND)
    if differences:
        return Gate(limit_percent, "unknown", differences)
    worse: list[str] = []
    undecided: list[str] = []
    limit = 1 + limit_percent / 100
    for each in comparison.figures:
        slower = slowdown_of(each)
        if slower is None:
            if _decides(each):
                text = "{benchmark}, {figure}: no ratio, since a value is zero."
                undecided.append(Message(text, benchmark=each.benchmark, figure=_name(each)))
            continue
        if slower.high <= limit:
            continue
        is_worse = slower.low > limit and each.verdict == "worse"
        (worse if is_worse else undecided).append(_described(each, slower))
    if worse:
        return Gate(limit_percent, "worse", worse)
    return Gate(limit_percent, "unknown" if undecided else "passed", undecided)


def slowdown_of(change: FigureChange) -> Interval | None:
    """Return how many times as long it takes afterwards; ``None`` for what is no time and no rate, or has no ratio."""
    ratio = change.ratio
    if not _decides(change) or ratio.low <= 0:
        return None
    if not is_rate(change.figure, change.unit):
        return ratio
    return Interval(value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)


def _decides(change: FigureChange) -> bool:
    """Return whether the figure is a time or a rate."""
    is_size = "bytes" in (change.unit, change.figure.rpartition("_")[2])
    return is_rate(change.figure, change.unit) is not None and not is_size


def _name(change: FigureChange) -> str:
    return change.figure.replace("_", " ")


def _differences(
    comparison: SuiteComparison, before: SuiteResults, after: SuiteResults
) -> Iterator[Message]:
    for each in comparison.environment:
        if each.name == "device_name":
            one, other = (x or Message("none") for x in (each.before, each.after))
            yield Message("Different chips: {one} and {other}.", one=one, other=other)
    clocks = [_clock(side) for side in (before, after)]
    if None not in clocks:
        low, high = sorted(each for each in clocks if each is not None)
        if high > CLOCK_RATIO * low:
            one, other = (f"{each:.0f}" for each in clocks if each is not None)
            yield Message("Different clocks: {one} and {other} MHz.", one=one, other=other)
    alone = [*comparison.only_before, *comparison.only_after]
    if alone:
        yield Message("Only in one of the two: {benchmarks}.", benchmarks=alone)
    if not any(slowdown_of(each) for each in comparison.figures):
        yield Message("The two have no time and no rate in common.")


def _clock(suite: SuiteResults) -> float | None:
    known = [each.environment.get(CLOCK) for each in suite.results]
    clocks = [float(each) for each in known if isinstance(each, (int, float)) and each > 0]
    return statistics.median(clocks) if clocks else None


def _described(change: FigureChange, slower: Interval) -> Message:
    low, high = (100 * (each - 1) for each in (slower.low, slower.high))
    text = "{benchmark}, {figure}: time {percent:+.1f} % ({low:+.1f} … {high:+.1f})."
    percent, names = 100 * (slower.value - 1), (change.benchmark, _name(change))
    return Message(text, benchmark=names[0], figure=names[1], percent=percent, low=low, high=high)
