"""Detect a program that holds device memory without using the device."""

from __future__ import annotations

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import Process, ProcessListing, is_value
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import GIB

HELD_RATIO = Threshold(
    0.1,
    reason="Of the device's memory. A bare CUDA context holds half a GiB, which is harmless.",
    margin="A bare context of 0.5 GiB: on 80 GiB 0.007, on 16 GiB 0.03.",
)
IDLE_SECONDS = Threshold(
    30.0,
    reason="Without any work, over several listings. In shorter pauses, a user may be reading.",
    margin="Not measured. Findings of this kind are notes.",
)
SCARCE_RATIO = Threshold(
    0.9,
    reason="Of the memory, used by all programs: unused allocations are now missing elsewhere.",
    margin="Not measured: the next allocation of a large model fails at 0.95 to 1.",
)
LEAST_LISTINGS = 3


def _check(view: View) -> Finding | None:
    series = view.series
    total = series.last_known("memory_total_bytes")
    listings = view.device.listings
    if not total or len(listings) < LEAST_LISTINGS or series.seconds < IDLE_SECONDS:
        return None
    holder = _holder(view, listings, total)
    if holder is None:
        return None
    held = float(holder.memory_used_bytes)
    used = series.last_known("memory_used_bytes") or 0.0
    others = len(listings[-1].processes) > 1
    seconds = listings[-1].time_seconds - listings[0].time_seconds
    return Finding(
        severity="warning" if others and used >= SCARCE_RATIO * total else "info",
        summary=Message(
            "{program} holds {held:.1f} of {total:.1f} GiB; idle for {seconds:.0f} s.",
            program=holder.notebook or Message("Process {pid}", pid=holder.pid),
            held=held / GIB,
            total=total / GIB,
            seconds=seconds,
        ),
        evidence={"memory_held_bytes": held, "memory_total_bytes": total, "idle_seconds": seconds},
        advice="Shut down its kernel, or delete the model and call torch.cuda.empty_cache().",
        refuted_by="If its notebook runs again within minutes, the memory is not wasted.",
        pid=holder.pid,
        notebook=holder.notebook,
    )


def _holder(view: View, listings: tuple[ProcessListing, ...], total: float) -> Process | None:
    device_is_idle = max(view.series.values("utilization_percent"), default=1.0) <= 0.0
    for process in listings[-1].processes:
        entries = [
            each for listed in listings for each in listed.processes if each.pid == process.pid
        ]
        memory = process.memory_used_bytes
        held = is_value(memory) and memory >= HELD_RATIO * total
        if not held or len(entries) < len(listings):
            continue
        # Judge by the process's own utilization. If it is missing, the whole device must be idle.
        shares = [each.sm_utilization_percent for each in entries]
        is_idle = all(is_value(share) and share <= 0.0 for share in shares)
        if is_idle or (device_is_idle and not any(map(is_value, shares))):
            return process
    return None


RULE = Rule(
    code="idle-memory-holder",
    title="Idle program holds memory",
    meaning="A program, often a notebook left open, keeps GPU memory without using the GPU.",
    needs=("memory_used_bytes", "memory_total_bytes"),
    check=_check,
    looks_at="whole",
    horizon="long",
)
