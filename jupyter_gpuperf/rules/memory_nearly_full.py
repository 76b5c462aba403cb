"""Detect that device memory is nearly full, or will be soon."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import FIVE_SECONDS, Finding, Rule, View, alert
from jupyter_gpuperf.rules.rule_input import ReadingSeries
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import GIB

METRICS: Final = ("memory_used_bytes", "memory_total_bytes")

FULL_RATIO = Threshold(
    0.95,
    reason="Of the device's memory. The rest, partly fragmented, is too small for another buffer of a large model.",
    margin="About to fail 0.985; our training runs 0.03 to 0.17.",
)
HELD_SECONDS = Threshold(
    3.0,
    reason="Peaks during loading are shorter.",
    margin="Before an error 0.8 s; when full 12 s.",
)
GROWING_RATIO = Threshold(
    0.8,
    reason="Growth below this is a program that loads its data.",
    margin="Not measured: a leak passes this level gradually, a loaded model in one step.",
)
SOON_SECONDS = Threshold(
    120.0,
    reason="Until full at the current rate: enough time to stop and save.",
    margin="Not measured: depends on how fast a user can react.",
)
PEAK_RATIO = 0.995
"""Readings of at least this share of the highest reading count as the peak."""
TREND_SECONDS = 30.0
SHORTEST_TREND_SECONDS = 10.0
GROWING_STEPS = 6
"""A leak grows in at least this many steps; growth in fewer steps is a program loading its data."""


def _check(view: View) -> Finding | None:
    series = view.series
    total = series.last_known("memory_total_bytes")
    points = series.points("memory_used_bytes")
    highest = max((used for _, used in points), default=0.0)
    if not total or highest <= 0:  # negative only in a recording that someone edited
        return None
    full = [time for time, used in points if used >= FULL_RATIO * total]
    held = full[-1] - full[0] if full else 0.0
    if len(full) >= 2 and held >= HELD_SECONDS:
        return Finding(
            severity="warning",
            summary=_summary(highest, total),
            evidence={
                "memory_used_bytes": highest,
                "memory_total_bytes": total,
                "used_ratio": highest / total,
                "full_for_seconds": held,
            },
            advice="The next larger batch or sequence will fail. To free memory: smaller batches with gradient "
            "accumulation, activation checkpointing, bf16, or shut down notebooks that hold memory.",
            refuted_by="torch.cuda.memory_summary(): reserved but unallocated memory is only the allocator's cache.",
        )
    # Look only at the time up to the peak, so that a program that has ended since still counts.
    peak_seconds, used = [each for each in points if each[1] >= PEAK_RATIO * highest][-1]
    left = seconds_until_full(series.between(series.times_seconds[0], peak_seconds), total)
    if left is None or left > SOON_SECONDS:
        return None
    return Finding(
        severity="warning",
        confidence="suspected",
        summary=_summary(used, total, left),
        evidence={"memory_used_bytes": used, "memory_total_bytes": total, "full_in_seconds": left},
        advice="Memory that grows every step is often a loss kept without .item(), or outputs kept in a list. "
        "Detach them, or move them to the CPU.",
        refuted_by="If growth stops before memory is full, the job was only starting.",
    )


def _alert(view: View) -> Finding | None:
    used, total = (view.series.current(metric) for metric in METRICS)
    if used is None or not total:
        return None
    left = seconds_until_full(view.series, total)
    evidence = {"used_bytes": used, "total_bytes": total}
    if left is not None and left <= SOON_SECONDS:
        return Finding(
            severity="warning",
            summary=_summary(used, total, left),
            advice="Stop before it fails, or shut down other notebooks, then try a smaller batch. Memory that grows "
            "every step is often a loss kept without .item().",
            evidence={**evidence, "full_in_seconds": left},
        )
    if used < FULL_RATIO * total:
        return None
    return Finding(
        severity="warning",
        summary=_summary(used, total),
        advice="A larger batch, or another notebook on this GPU, will run out of memory.",
        evidence=evidence,
    )


def _summary(used: float, total: float, seconds_left: float | None = None) -> str:
    return Message(
        "Memory is nearly full: {used:.1f} of {total:.1f} GiB."
        if seconds_left is None
        else "Memory is growing and will be full in about {seconds:.0f} s: {used:.1f} of {total:.1f} GiB.",
        seconds=seconds_left,
        used=used / GIB,
        total=total / GIB,
    )


def seconds_until_full(series: ReadingSeries, total: float) -> float | None:
    """Return the seconds until memory that grows in many small steps is full; ``None`` without such growth."""
    points = series.last(TREND_SECONDS).points("memory_used_bytes")
    if not points or points[-1][1] < GROWING_RATIO * total:
        return None
    (began, least), (ended, used) = points[0], points[-1]
    seconds, grown = ended - began, used - least
    rises = [after - before for (_, before), (_, after) in pairwise(points) if after > before]
    if len(rises) < GROWING_STEPS or grown <= 0 or seconds < SHORTEST_TREND_SECONDS:
        return None
    # One large step is an allocation; memory that shrinks in between is not a leak.
    if max(rises) > grown / 3 or sum(rises) > 1.2 * grown:
        return None
    # The memory must still be growing in the last third.
    late = [value for time, value in points if time >= ended - seconds / 3]
    pace = (late[-1] - late[0]) / (seconds / 3)
    return (total - used) / pace if pace > 0.3 * grown / seconds else None


RULE = Rule(
    code="memory-nearly-full",
    title="Memory nearly full",
    meaning="GPU memory is nearly full, or will be soon.",
    needs=METRICS,
    check=_check,
    looks_at="whole",
    horizon="long",
    alert="memory_nearly_full",
    is_of_loop=True,
)
ALERT = alert("memory_nearly_full", _alert, needs=METRICS, holds_off=FIVE_SECONDS)
