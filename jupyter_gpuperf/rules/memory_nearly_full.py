"""Device memory is nearly full, or will be soon."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import A_WHILE, Finding, Rule, View, alert
from jupyter_gpuperf.rules.rule_input import Series
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import GIB

METRICS: Final = ("memory_used_bytes", "memory_total_bytes")

FULL_RATIO = Threshold(
    0.95,
    reason="Of the device's memory. What is left is less than one more buffer of a large model, and "
    "fragments besides.",
    margin="One that is about to fail 0.985; training of ours 0.03 to 0.17.",
)
HELD_SECONDS = Threshold(
    3.0,
    reason="For so long: peaks while a model is loaded come and go within a second.",
    margin="Before an error 0.8 s; a full device 12 s and more.",
)
GROWING_RATIO = Threshold(
    0.8,
    reason="Growth is told from here on; below, a program that loads its data is not in danger.",
    margin="Not measured: a leak passes it on its way, and a model is loaded in one go.",
)
SOON_SECONDS = Threshold(
    120.0,
    reason="Until it is full, at the present pace: time enough to stop and to save.",
    margin="Not measured: it is a matter of what a person can still do.",
)
PEAK_RATIO = 0.995
"""Share of the highest reading: readings above it count as the peak, too."""
TREND_SECONDS = 30.0
SHORTEST_TREND_SECONDS = 10.0
GROWING_STEPS = 6
"""Growth in fewer steps is loading, not a leak."""


def _check(view: View) -> Finding | None:
    series = view.series
    total = series.newest("memory_total_bytes")
    points = series.points("memory_used_bytes")
    highest = max((used for _, used in points), default=0.0)
    if not total or highest <= 0:  # below 0 only in a recording that was altered
        return None
    full = [time for time, used in points if used >= FULL_RATIO * total]
    held = full[-1] - full[0] if full else 0.0
    if len(full) >= 2 and held >= HELD_SECONDS:
        return Finding(
            severity="warning",
            summary=_summary(highest, total, None),
            evidence={
                "memory_used_bytes": highest,
                "memory_total_bytes": total,
                "used_ratio": highest / total,
                "full_for_seconds": held,
            },
            advice="The next larger batch or sequence will fail. A smaller batch with gradient accumulation, "
            "activation checkpointing or bf16 make room; so does shutting down notebooks that hold memory.",
            refuted_by="torch.cuda.memory_summary(): if much of it is reserved and not allocated, it is the "
            "allocator's reserve.",
        )
    # Only up to the peak: memory grew even if the program has ended since.
    peak_seconds, used = [each for each in points if each[1] >= PEAK_RATIO * highest][-1]
    left = seconds_until_full(series.between(series.times_seconds[0], peak_seconds), total)
    if left is None or left > SOON_SECONDS:
        return None
    return Finding(
        severity="warning",
        confidence="suspected",
        summary=_summary(used, total, left),
        evidence={
            "memory_used_bytes": used,
            "memory_total_bytes": total,
            "full_in_seconds": left,
        },
        advice="Memory that grows from step to step is often a loss that is kept without .item(), or outputs "
        "kept in a list. Detach them, or move them to the host.",
        refuted_by="If it stops growing below the device's memory, it was the start of a job.",
    )


def _alert(view: View) -> Finding | None:
    used, total = (view.series.now(metric) for metric in METRICS)
    if used is None or not total:
        return None
    left = seconds_until_full(view.series, total)
    if left is not None and left <= SOON_SECONDS:
        return Finding(
            severity="warning",
            summary=_summary(used, total, left),
            advice="Stop before it fails, or free what other notebooks hold; then try a smaller "
            "batch. Memory that grows from step to step is often a loss kept without .item().",
            evidence={"used_bytes": used, "total_bytes": total, "full_in_seconds": left},
        )
    if used < FULL_RATIO * total:
        return None
    return Finding(
        severity="warning",
        summary=_summary(used, total, None),
        advice="A larger batch, or another notebook on this device, will run out of memory.",
        evidence={"used_bytes": used, "total_bytes": total},
    )


def _summary(used: float, total: float, left: float | None) -> str:
    if left is None:
        return Message(
            "Memory is nearly full: {used:.1f} of {total:.1f} GiB.",
            used=used / GIB,
            total=total / GIB,
        )
    return Message(
        "Memory grows, and is full in about {left:.0f} s: {used:.1f} of {total:.1f} GiB.",
        left=left,
        used=used / GIB,
        total=total / GIB,
    )


def seconds_until_full(series: Series, total: float) -> float | None:
    """Return the seconds until memory that grows in many small steps is full; ``None`` without such growth."""
    points = series.last(TREND_SECONDS).points("memory_used_bytes")
    if not points or points[-1][1] < GROWING_RATIO * total:
        return None
    (began, least), (ended, used) = points[0], points[-1]
    seconds, grown = ended - began, used - least
    rises = [after - before for (_, before), (_, after) in pairwise(points) if after > before]
    if len(rises) < GROWING_STEPS or grown <= 0 or seconds < SHORTEST_TREND_SECONDS:
        return None
    # One large step is an allocation, and memory that falls in between is not a leak.
    if max(rises) > grown / 3 or sum(rises) > 1.2 * grown:
        return None
    # It must still be growing.
    late = [value for time, value in points if time >= ended - seconds / 3]
    pace = (late[-1] - late[0]) / (seconds / 3)
    return (total - used) / pace if pace > 0.3 * grown / seconds else None


RULE = Rule(
    code="memory-nearly-full",
    title="Memory nearly full",
    meaning="Hardly any device memory is left, or it grows and will be full soon.",
    needs=METRICS,
    check=_check,
    looks_at="whole",
    horizon="long",
    alert="memory_nearly_full",
    is_of_loop=True,
)
ALERT = alert("memory_nearly_full", _alert, needs=METRICS, holds_off=A_WHILE)
