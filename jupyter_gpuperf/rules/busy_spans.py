"""Find when a device is busy, and when its work is steady: after a job's start-up and before its end.

In its first seconds (imports, CUDA context, first batches, autotuning), a job shows the symptoms of every known
problem. Two signs identify a start: the device was idle before, and its memory is filling.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from jupyter_gpuperf.rules.rule_input import ReadingSeries

SM, UTILIZATION, MEMORY = "sm_active_percent", "utilization_percent", "memory_used_bytes"

LEAST_PERCENT: Final = {SM: 0.02, UTILIZATION: 1.0}
"""The device counts as idle below these values. Tiny kernels keep an H100's multiprocessors busy for a thousandth of
the time (0.1 %), which must still count as work. The driver reports utilization as a whole number: 1 is the smallest
value above 0."""

UNSEEN_SECONDS: Final = 1 / 3
"""The driver's utilization covers a sixth of a second to a second, depending on the chip. If the readings are further
apart than two of the shortest periods, they leave out parts of the time."""

PAUSE_SECONDS: Final = 6.0
"""An idle gap longer than this ends a job, unless the job's gaps are usually that long."""
HELD_PAUSE_SECONDS: Final = 12.0
"""The limit that replaces ``PAUSE_SECONDS`` while the memory stays allocated: infrequent readings can miss rare short
bursts of work."""
PAUSE_READINGS: Final = 4
"""With infrequent readings, a gap must span this many of them to end a job."""
USUAL_GAPS: Final = 3.0
"""If a job has at least three gaps, only a gap longer than this multiple of their median ends it: long steps must not
split it into several jobs."""
FREED_SECONDS: Final = 2.0
FREED_RATIO: Final = 0.3
"""If, in a gap of at least two seconds, the memory in use fell below this share of its usual level, one job ended and
another started."""

START_SECONDS: Final = 2.0
"""Time after the first kernel that counts as start-up: lazy loading and autotuning take 0.5 to 2 s on an H100."""
MEMORY_FILLED_RATIO: Final = 0.9
"""A job's memory counts as filled when it reaches this share of its usual level."""
FILLED_SECONDS: Final = 1.0
"""Time after the memory has filled that still counts as start-up: the allocator needs a step or two until it has seen
each allocation size."""
LONGEST_START_RATIO: Final = 0.5
"""At most this share of a job counts as its start-up, whatever the signs."""
LEAST_SECONDS: Final = 4.0
"""A part shorter than this is not a steady state."""
LEAST_READINGS: Final = 4


class Span(NamedTuple):
    """A time span, in seconds on the clock of the readings."""

    start_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """Length of the span, in seconds."""
        return self.end_seconds - self.start_seconds


def activity_metric(series: ReadingSeries) -> str | None:
    """Return the metric that best indicates whether the device was busy; ``None`` if no metric has enough values.

    GPM's value (SM activity) covers all the time between two readings. The driver's utilization covers only part of
    that time, with a delay.
    """
    enough = max(1.0, 0.6 * len(series.times_seconds))
    return next((each for each in (SM, UTILIZATION) if len(series.values(each)) >= enough), None)


def is_sampled(series: ReadingSeries, metric: str | None) -> bool:
    """Return whether the readings of a device's activity leave out parts of the time between them."""
    return metric == UTILIZATION and series.interval_seconds > UNSEEN_SECONDS


def busy_spans(series: ReadingSeries) -> list[Span]:
    """Return the spans in which the device was busy: one per job, from its first kernel to its last."""
    metric = activity_metric(series)
    if metric is None:
        return []
    busy = [time for time, value in series.points(metric) if value >= LEAST_PERCENT[metric]]
    if not busy:
        return []
    # A reading describes the interval that ends with it.
    interval = series.interval_seconds
    longest_gap = _longest_gap(busy, interval)
    level = median(series.between(busy[0], busy[-1]).values(MEMORY) or [0.0])
    spans = [[busy[0] - interval, busy[0]]]
    for before, after in pairwise(busy):
        if _ends_a_job(series, before, after, longest_gap, level):
            spans.append([after - interval, after])
        spans[-1][1] = after
    return [Span(max(series.times_seconds[0], start), end) for start, end in spans]


def steady_part(series: ReadingSeries, job: Span) -> Span | None:
    """Return the steady part of a job; ``None`` if the job was too short to have one."""
    interval = series.interval_seconds
    start = job.start_seconds
    first = series.times_seconds[0]
    # If the job's memory was already allocated at the first reading, the job was idle then, and this is not its start.
    if start > first + 2 * interval and not _is_held(series, first, job):
        start += START_SECONDS
    if (filled := _filled_at(series, job)) is not None:
        start = max(start, filled + FILLED_SECONDS)
    start = min(start, job.start_seconds + LONGEST_START_RATIO * job.seconds)
    # The last kernel ended within the interval of the last busy reading, so leave that interval out.
    cut_off = job.end_seconds >= series.times_seconds[-1] - 1.5 * interval
    end = job.end_seconds if cut_off else job.end_seconds - interval
    part = series.between(start, end)
    if part.seconds < LEAST_SECONDS or len(part.times_seconds) < LEAST_READINGS:
        return None
    return Span(start, end)


def steady_spans(series: ReadingSeries, *, live: bool = False) -> list[Span]:
    """Return the steady part of each job that has one. With ``live``, consider only a job still running at the end."""
    jobs = busy_spans(series)
    if live:
        jobs = [job for job in jobs[-1:] if _goes_on(series, job)]
    return [part for job in jobs if (part := steady_part(series, job)) is not None]


def _goes_on(series: ReadingSeries, job: Span) -> bool:
    """Return whether the job may still be running at the last reading, that is, whether its current gap is short."""
    gap = series.times_seconds[-1] - job.end_seconds
    return gap <= max(PAUSE_SECONDS, PAUSE_READINGS * series.interval_seconds) or (
        gap <= HELD_PAUSE_SECONDS and _is_held(series, job.end_seconds, job)
    )


def _is_held(series: ReadingSeries, since_seconds: float, job: Span) -> bool:
    level = series.between(*job).values(MEMORY)
    ended = since_seconds >= job.end_seconds
    until = series.times_seconds[-1] if ended else max(since_seconds, job.start_seconds)
    held = series.between(since_seconds, until).values(MEMORY)
    return bool(level and held) and min(held) >= MEMORY_FILLED_RATIO * median(level)


def _longest_gap(busy: Sequence[float], interval: float) -> float:
    gaps = [after - before for before, after in pairwise(busy) if after - before > 1.5 * interval]
    usual = USUAL_GAPS * median(gaps) if len(gaps) >= 3 else 0.0
    return max(PAUSE_SECONDS, PAUSE_READINGS * interval, usual)


def _ends_a_job(
    series: ReadingSeries, before: float, after: float, longest: float, level: float
) -> bool:
    gap = after - before
    # A gap this short never ends a job, whatever the memory did. Skip the lookup: there are hundreds of such gaps.
    if gap <= longest and gap < max(FREED_SECONDS, 2 * series.interval_seconds):
        return False
    used = series.between(before, after).values(MEMORY)
    known = bool(used) and level > 0
    if known and min(used) >= MEMORY_FILLED_RATIO * level:
        return gap > max(longest, HELD_PAUSE_SECONDS)
    return gap > longest or (known and min(used) < FREED_RATIO * level)


def _filled_at(series: ReadingSeries, job: Span) -> float | None:
    points = series.between(*job).points(MEMORY)
    if len(points) < LEAST_READINGS:
        return None
    # The second half of the job shows how much memory it uses once it runs steadily.
    level = median(value for _, value in points[len(points) // 2 :])
    if points[0][1] >= MEMORY_FILLED_RATIO * level:
        return None
    return next((time for time, value in points if value >= MEMORY_FILLED_RATIO * level), None)
