"""When a device works, and when its work is steady: after its start, before its end.

A job's first seconds (imports, context, first batches, autotuning) look like every trouble there is. They are
told apart by what a job does when it starts: the device was at rest, and its memory fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from jupyter_gpuperf.rules.rule_input import Series

SM, UTILIZATION, MEMORY = "sm_active_percent", "utilization_percent", "memory_used_bytes"

LEAST_SM_PERCENT: Final = 0.02
"""Tiny kernels keep an H100's multiprocessors busy for a thousandth of the time, and that is work."""
LEAST_UTILIZATION_PERCENT: Final = 1.0
"""The driver's utilisation is a whole number: 1 is the least that is not 0."""

PAUSE_SECONDS: Final = 6.0
"""A longer rest ends a job, unless its rests are usually that long."""
HELD_PAUSE_SECONDS: Final = 12.0
"""The same while its memory stays held: rare short bursts may be missed by rare readings."""
PAUSE_READINGS: Final = 4
"""With rare readings a rest must show in several of them."""
USUAL_RESTS: Final = 3.0
"""A job whose steps are far apart is one job: a rest ends it when it is longer than so many usual ones."""
FREED_SECONDS: Final = 2.0
FREED_RATIO: Final = 0.3
"""A rest of two seconds in which the memory was free is the end of one job and the start of another."""

START_SECONDS: Final = 2.0
"""First steps after the first kernel: lazy loading and autotuning; 0.5 to 2 s on an H100."""
FILLED_RATIO: Final = 0.9
FILLED_SECONDS: Final = 1.0
"""Memory is filled when the allocator has seen each size once, which takes a step or two."""
LONGEST_START_RATIO: Final = 0.5
"""Whatever the signs, not more than this part of a job is taken for its start."""
LEAST_SECONDS: Final = 4.0
"""Less than that is no steady state."""
LEAST_READINGS: Final = 4


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in the readings' own time."""

    start_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end_seconds - self.start_seconds


def activity_metric(series: Series) -> str | None:
    """Return the metric that tells best whether the device worked; ``None`` where none does.

    GPM's share covers all time from reading to reading; the driver's utilisation a part of it, and late.
    """
    enough = max(1.0, 0.6 * len(series.times_seconds))
    return next((each for each in (SM, UTILIZATION) if len(series.values(each)) >= enough), None)


def busy_spans(series: Series) -> list[Span]:
    """Return when the device worked: one span a job, from its first kernel to its last."""
    metric = activity_metric(series)
    least = LEAST_SM_PERCENT if metric == SM else LEAST_UTILIZATION_PERCENT
    busy = [time for time, value in series.points(metric or "") if value >= least]
    if not busy:
        return []
    # A reading tells of the time before it.
    interval = series.interval_seconds
    longest = _longest_rest(busy, interval)
    level = median(series.between(busy[0], busy[-1]).values(MEMORY) or [0.0])
    spans = [[busy[0] - interval, busy[0]]]
    for before, after in pairwise(busy):
        if _ends_a_job(series, (before, after), longest, level):
            spans.append([after - interval, after])
        spans[-1][1] = after
    begin = series.times_seconds[0]
    return [Span(max(begin, start), end) for start, end in spans]


def steady_part(series: Series, job: Span) -> Span | None:
    """Return the steady part of a job; ``None`` where it was too short for one."""
    interval = series.interval_seconds
    start = job.start_seconds
    first = series.times_seconds[0]
    # Where its memory is there from the first reading on, it only rested then.
    if start > first + 2 * interval and not _is_held(series, first, job):
        start += START_SECONDS
    filled = _filled_at(series, job)
    if filled is not None:
        start = max(start, filled + FILLED_SECONDS)
    start = min(start, job.start_seconds + LONGEST_START_RATIO * job.seconds)
    # The reading in which the last kernel ended is only partly of the work.
    cut_off = job.end_seconds >= series.times_seconds[-1] - 1.5 * interval
    end = job.end_seconds if cut_off else job.end_seconds - interval
    part = series.between(start, end)
    if part.seconds < LEAST_SECONDS or len(part.times_seconds) < LEAST_READINGS:
        return None
    return Span(start, end)


def steady_spans(series: Series, *, live: bool = False) -> list[Span]:
    """Return the steady part of each job that has one; ``live``: of a job that goes on at the end alone."""
    jobs = busy_spans(series)
    if live:
        jobs = [job for job in jobs[-1:] if _goes_on(series, job)]
    parts = [steady_part(series, job) for job in jobs]
    return [part for part in parts if part is not None]


def _goes_on(series: Series, job: Span) -> bool:
    """Tell whether it may still run at the readings' end: it rests for a moment at most."""
    rest = series.times_seconds[-1] - job.end_seconds
    interval = series.interval_seconds
    return rest <= max(PAUSE_SECONDS, PAUSE_READINGS * interval) or (
        rest <= HELD_PAUSE_SECONDS and _is_held(series, job.end_seconds, job)
    )


def _is_held(series: Series, since_seconds: float, job: Span) -> bool:
    level = series.between(job.start_seconds, job.end_seconds).values(MEMORY)
    ended = since_seconds >= job.end_seconds
    until = series.times_seconds[-1] if ended else max(since_seconds, job.start_seconds)
    held = series.between(since_seconds, until).values(MEMORY)
    return bool(level and held) and min(held) >= FILLED_RATIO * median(level)


def _longest_rest(busy: Sequence[float], interval: float) -> float:
    rests = [after - before for before, after in pairwise(busy) if after - before > 1.5 * interval]
    usual = USUAL_RESTS * median(rests) if len(rests) >= 3 else 0.0
    return max(PAUSE_SECONDS, PAUSE_READINGS * interval, usual)


def _ends_a_job(series: Series, rest: tuple[float, float], longest: float, level: float) -> bool:
    before, after = rest
    # So short a rest ends no job, whatever the memory did; there are hundreds of them.
    if after - before <= longest and after - before < max(
        FREED_SECONDS, 2 * series.interval_seconds
    ):
        return False
    used = series.between(before, after).values(MEMORY)
    known = bool(used) and level > 0
    if known and min(used) >= FILLED_RATIO * level:
        return after - before > max(longest, HELD_PAUSE_SECONDS)
    if after - before > longest:
        return True
    return known and min(used) < FREED_RATIO * level


def _filled_at(series: Series, job: Span) -> float | None:
    points = series.between(job.start_seconds, job.end_seconds).points(MEMORY)
    if len(points) < LEAST_READINGS:
        return None
    # Of the second half: what a job holds once it runs.
    level = median(value for _, value in points[len(points) // 2 :])
    if points[0][1] >= FILLED_RATIO * level:
        return None
    return next((time for time, value in points if value >= FILLED_RATIO * level), None)
