"""Device memory is nearly full, or will be soon."""

from __future__ import annotations

from itertools import pairwise

from jupyter_gpuperf.diagnose.declaration import Finding, Rule, Threshold
from jupyter_gpuperf.diagnose.view import View

CODE = "memory-nearly-full"
GIB = float(1 << 30)

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
    0.7,
    reason="Growth is told from here on; below, a program that loads its data is not in danger.",
    margin="Not measured: a leak passes it on its way, and a model is loaded in one go.",
)
SOON_SECONDS = Threshold(
    120.0,
    reason="Until it is full, at the present pace: time enough to stop and to save.",
    margin="Not measured: it is a matter of what a person can still do.",
)
PEAK_RATIO = 0.995
"""Of the highest: what is as high is the peak, too."""
GROWING_STEPS = 6
"""Growth in fewer steps is loading, not leaking."""


def _check(view: View) -> Finding | None:
    series = view.device.series
    total = series.newest("memory_total_bytes")
    points = series.points("memory_used_bytes")
    if not total or not points:
        return None
    full = [time for time, used in points if used >= FULL_RATIO * total]
    held = full[-1] - full[0] if full else 0.0
    if len(full) >= 2 and held >= HELD_SECONDS:
        return _full(view, max(used for _, used in points), total, held)
    # Up to the peak: when the program has ended since, it grew all the same.
    highest = max(used for _, used in points)
    if highest <= 0:  # as only a recording that was altered says
        return None
    last = max(i for i, (_, used) in enumerate(points) if used >= PEAK_RATIO * highest)
    left = seconds_until_full(points[: last + 1], total)
    if left is not None and left <= SOON_SECONDS:
        return _growing(view, points[last][1], total, left)
    return None


def _full(view: View, used: float, total: float, held: float) -> Finding:
    loader = view.loader
    return Finding(
        code=CODE,
        severity="warning",
        confidence="confirmed",
        summary=f"Memory is nearly full: {used / GIB:.1f} of {total / GIB:.1f} GiB.",
        evidence={
            "memory_used_bytes": used,
            "memory_total_bytes": total,
            "used_ratio": used / total,
            "full_for_seconds": held,
        },
        advice="The next larger batch or sequence will fail. A smaller batch with gradient accumulation, "
        "activation checkpointing or bf16 make room; so does shutting down notebooks that hold memory.",
        refuted_by="torch.cuda.memory_summary(): if much of it is reserved and not allocated, it is the "
        "allocator's reserve.",
        pid=loader.pid if loader else None,
        notebook=loader.notebook if loader else None,
    )


def _growing(view: View, used: float, total: float, left: float) -> Finding:
    loader = view.loader
    return Finding(
        code=CODE,
        severity="warning",
        confidence="suspected",
        summary=f"Memory grows, and is full in about {left:.0f} s: {used / GIB:.1f} of {total / GIB:.1f} GiB.",
        evidence={
            "memory_used_bytes": used,
            "memory_total_bytes": total,
            "full_in_seconds": left,
        },
        advice="Memory that grows from step to step is often a loss that is kept without .item(), or outputs "
        "kept in a list. Detach them, or move them to the host.",
        refuted_by="If it stops growing below the device's memory, it was the start of a job.",
        pid=loader.pid if loader else None,
        notebook=loader.notebook if loader else None,
    )


def seconds_until_full(points: list[tuple[float, float]], total: float) -> float | None:
    """Return when memory that grows in many small steps is full; ``None`` when it does not grow so."""
    used = points[-1][1]
    if used < GROWING_RATIO * total:
        return None
    recent = [point for point in points if point[0] >= points[-1][0] - 30.0]
    seconds = recent[-1][0] - recent[0][0]
    rises = [after - before for (_, before), (_, after) in pairwise(recent) if after > before]
    grown = recent[-1][1] - recent[0][1]
    if len(rises) < GROWING_STEPS or grown <= 0 or seconds < 10.0:
        return None
    # In one step it grows as an allocation does; and what falls in between is no leak.
    if max(rises) > grown / 3 or sum(rises) > 1.2 * grown:
        return None
    # It must still grow.
    late = [value for time, value in recent if time >= recent[-1][0] - seconds / 3]
    pace = (late[-1] - late[0]) / (seconds / 3)
    return (total - used) / pace if pace > 0.3 * grown / seconds else None


RULE = Rule(
    code=CODE,
    title="Memory nearly full",
    meaning="Hardly any device memory is left, or it grows and will be full soon.",
    needs=("memory_used_bytes", "memory_total_bytes"),
    check=_check,
    looks_at="whole",
    horizon="long",
)
