"""A program holds device memory without working."""

from __future__ import annotations

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import Listing, Process, is_value
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import GIB

HELD_RATIO = Threshold(
    0.1,
    reason="Of the device's memory. A bare CUDA context holds half a GiB and bothers nobody.",
    margin="A bare context of 0.5 GiB: on 80 GiB 0.007, on 16 GiB 0.03.",
)
IDLE_SECONDS = Threshold(
    30.0,
    reason="Without any work, and seen in several listings: shorter pauses are a person who reads.",
    margin="Not measured: a matter of manners. Findings of this kind are notes.",
)
SCARCE_RATIO = Threshold(
    0.9,
    reason="Memory in use by all: now what one holds for nothing is what the others lack.",
    margin="Not measured: the next allocation of a large model fails at 0.95 to 1.",
)
LEAST_LISTINGS = 3


def _check(view: View) -> Finding | None:
    series = view.series
    total = series.newest("memory_total_bytes")
    listings = view.device.listings
    if not total or len(listings) < LEAST_LISTINGS or series.seconds < IDLE_SECONDS:
        return None
    holder = _holder(view, listings, total)
    if holder is None:
        return None
    held = float(holder.memory_used_bytes)
    used = series.newest("memory_used_bytes") or 0.0
    others = len(listings[-1].processes) > 1
    seconds = listings[-1].time_seconds - listings[0].time_seconds
    name = holder.notebook or f"Process {holder.pid}"
    return Finding(
        severity="warning" if others and used >= SCARCE_RATIO * total else "info",
        summary=Message(
            "{name} holds {held:.1f} of {total:.1f} GiB and has not worked for {seconds:.0f} s.",
            name=name,
            held=held / GIB,
            total=total / GIB,
            seconds=seconds,
        ),
        evidence={
            "memory_held_bytes": held,
            "memory_total_bytes": total,
            "idle_seconds": seconds,
        },
        advice="Shut its kernel down, or free the memory: delete the model, then torch.cuda.empty_cache().",
        refuted_by="If its notebook runs again within minutes, the memory is not held for nothing.",
        pid=holder.pid,
        notebook=holder.notebook,
    )


def _holder(view: View, listings: tuple[Listing, ...], total: float) -> Process | None:
    utilization = view.series.values("utilization_percent")
    resting = max(utilization, default=1.0) <= 0.0
    for process in listings[-1].processes:
        seen = [
            each for listing in listings for each in listing.processes if each.pid == process.pid
        ]
        memory = process.memory_used_bytes
        held = is_value(memory) and memory >= HELD_RATIO * total
        if not held or len(seen) < len(listings):
            continue
        # Judge by the process's own utilization, or, where it is missing, by the device being idle.
        known = [each.sm_utilization_percent for each in seen]
        idle = all(is_value(each) and each <= 0.0 for each in known)
        if idle or (resting and not any(is_value(each) for each in known)):
            return process
    return None


RULE = Rule(
    code="idle-memory-holder",
    title="Memory held for nothing",
    meaning="A program, often a notebook that was left open, keeps device memory without using the device.",
    needs=("memory_used_bytes", "memory_total_bytes"),
    check=_check,
    looks_at="whole",
    horizon="long",
)
