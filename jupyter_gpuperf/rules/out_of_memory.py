"""Detect that a program filled all device memory and then ended, probably with an out-of-memory error."""

from __future__ import annotations

from itertools import pairwise

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, HoldOff, Rule, View
from jupyter_gpuperf.rules.rule_input import OutOfMemoryCell
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import GIB

PEAK_RATIO = Threshold(
    0.965,
    reason="Of the device's memory: an allocation fails if it exceeds the rest, and is rarely over a few percent.",
    margin="Before an error 1.00; our healthy runs below 0.2, a full one 0.985.",
)
FREED_RATIO = Threshold(
    0.5, reason="Of the peak: the program ended or freed its memory.", margin="After an error 0.01."
)
STILL_RATIO = Threshold(
    0.97,
    reason="Of the peak: memory counts as full from here. A program that stays full for a while didn't fail.",
    margin="A full but healthy job has its memory from its first steps to its end, 11 s and more.",
)
LAST_SECONDS = Threshold(
    5.0,
    reason="From full to freed: a failed allocation ends a program at once, and Python needs a moment.",
    margin="Measured 0.8 s; a full but healthy job 11 s and more.",
)
MOST_NAMED = 3
ACTIVATION = "activation"
"""The kind of owner that is named by what keeps it alive: the name of a layer doesn't say what to delete."""


def _check(view: View) -> Finding | None:
    failed = next((x for x in view.rule_input.failures if view.is_here(x.device)), None)
    return _seen_by_readings(view) if failed is None else _reported(failed)


def _reported(failed: OutOfMemoryCell) -> Finding:
    """Return the finding of a failure that the kernel itself reported, with its owners."""
    failure = failed.failure
    largest = [
        f"{each.holders[0] if each.kind == ACTIVATION and each.holders else each.name} ({_size(each.bytes)})"
        for each in failure.largest[:MOST_NAMED]
    ]
    remedies = [
        each.action if each.bytes is None else f"{each.action} ({_size(each.bytes)})"
        for each in failure.remedies
    ]
    return Finding(
        severity="critical",
        summary=Message("Out of memory; held by {largest}.", largest=largest),
        evidence={
            "requested_bytes": failure.requested_bytes,
            "free_bytes": failure.free_bytes,
            "unused_by_torch_bytes": failure.unused_bytes,
            "held_by_failed_cell_bytes": failure.held_by_exception_bytes,
            "requested_by": f"{failure.place}: {failure.code}",
        },
        advice=Message("Run in the notebook, whichever is enough: {remedies}", remedies=remedies),
        refuted_by="%gpumem in the notebook shows who holds the memory now.",
        pid=failed.pid,
        notebook=failed.notebook,
    )


def _size(size_bytes: float) -> str:
    is_large = size_bytes >= GIB
    return f"{size_bytes / GIB:.1f} GiB" if is_large else f"{1024 * size_bytes / GIB:.0f} MiB"


def _seen_by_readings(view: View) -> Finding | None:
    series = view.series
    total = series.last_known("memory_total_bytes")
    points = series.points("memory_used_bytes")
    if not total or len(points) < 3:
        return None
    for index, ((_, peak), (gone, left)) in enumerate(pairwise(points)):
        if peak < PEAK_RATIO * total or left > FREED_RATIO * peak:
            continue
        first = index
        while first > 0 and points[first - 1][1] >= STILL_RATIO * peak:
            first -= 1
        seconds = gone - points[first][0]
        # With infrequent readings, the memory may seem full for a whole interval. Memory that was already full at the
        # first reading proves nothing.
        if first == 0 or seconds > max(LAST_SECONDS, 1.5 * series.interval_seconds):
            continue
        return Finding(
            severity="critical",
            confidence="suspected",
            summary=Message(
                "A program used {peak:.1f} of {total:.1f} GiB and ended within {seconds:.1f} s: probably out of memory.",
                peak=peak / GIB,
                total=total / GIB,
                seconds=seconds,
            ),
            evidence={
                "memory_peak_bytes": peak,
                "memory_total_bytes": total,
                "memory_full_seconds": seconds,
                "happened_at_seconds": gone - series.times_seconds[0],
            },
            advice="Use smaller batches with gradient accumulation, activation checkpointing, or bf16; shut down other "
            "notebooks. PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True reduces fragmentation.",
            refuted_by="Check the program's output for OutOfMemoryError or another reason.",
        )
    return None


RULE = Rule(
    code="out-of-memory",
    title="Out of memory",
    meaning="A program needed more GPU memory than available, and failed. A notebook with the extension loaded reports it "
    "itself, with the largest owners; the finding ends when the memory came free, when the kernel restarts, or after 15 minutes.",
    needs=("memory_used_bytes", "memory_total_bytes"),
    check=_check,
    holds_off=HoldOff(critical_at_once=True),
    looks_at="whole",
    horizon="long",
)
