"""Detect that a watched loop's memory grows step by step and will be full."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.schemas.training import LoopSteps, MemoryGrowth

METRICS: Final = ("memory_used_bytes", "memory_total_bytes")
SIZES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
FULL_WITHIN_SECONDS = Threshold(
    86_400.0,
    reason="Until full at the current rate: later, most trainings have ended.",
    margin="Not measured: depends on how long a training runs.",
)
FULL_SOON_SECONDS = Threshold(
    600.0,
    reason="Until full, where nothing shows that the growth is a fault: an epoch of unknown length may end before.",
    margin="Not measured: depends on how long an epoch is.",
)


def _check(view: View) -> Finding | None:
    loop = view.loop
    growth = loop.memory_growth if loop else None
    used, total = (view.series.last_known(metric) for metric in METRICS)
    if loop is None or growth is None or not growth.bytes_per_step or used is None or not total:
        return None
    unused = max(0.0, (loop.reserved_bytes or 0.0) - (loop.allocated_bytes or 0.0))
    left = max(0.0, total - used) + unused
    full_seconds = left / growth.bytes_per_step * loop.step_seconds
    if full_seconds > FULL_WITHIN_SECONDS or not _is_fault(growth, loop, full_seconds):
        return None
    return Finding(
        severity="warning",
        summary=_summary(growth, full_seconds),
        evidence={
            "grows_by_bytes": growth.bytes_per_step,
            "full_in_seconds": full_seconds,
            "allocated_bytes": loop.allocated_bytes,
            "memory_used_bytes": used,
            "memory_total_bytes": total,
            "held_by": _holder(growth),
        },
        advice=_advice(growth),
        refuted_by="%gpumem at the ends of two steps: if no owner has grown, the memory is not kept.",
    )


def _is_fault(growth: MemoryGrowth, loop: LoopSteps, full_seconds: float) -> bool:
    """Return whether the growth is more than what a loop collects until its epoch ends."""
    if growth.holds_graphs or growth.outlasts_epoch:
        return True
    epoch_seconds = loop.epoch_left_seconds
    return full_seconds < (FULL_SOON_SECONDS if epoch_seconds is None else epoch_seconds)


def _summary(growth: MemoryGrowth, full_seconds: float) -> str:
    size, time = _size(growth.bytes_per_step), _time(full_seconds)
    holder = _holder(growth)
    if holder is None:
        template = "Memory grows by {size} a step and is full in about {time}."
    elif growth.holds_graphs:
        template = "{name} grows by one graph a step, {size}; memory is full in about {time}."
    else:
        template = "{name} grows by {size} a step; memory is full in about {time}."
    return Message(template, name=holder, size=size, time=time)


def _holder(growth: MemoryGrowth) -> str | None:
    if growth.holder is None or growth.function is None:
        return growth.holder
    return Message("{name} in {function}()", name=growth.holder, function=growth.function)


def _advice(growth: MemoryGrowth) -> str:
    if growth.holder is None:
        return Message(
            "%gpumem shows who holds the memory. Often a loss is kept without .item(), or outputs are kept in a list."
        )
    if growth.holds_graphs:
        return Message(
            "Append or add loss.item() instead of the loss: a tensor with a graph keeps all activations of its step. "
            "If you need the tensor, use loss.detach()."
        )
    return Message("Keep fewer tensors, or move those that you keep to the CPU: .detach().cpu().")


def _size(size_bytes: float) -> str:
    unit, name = next((each for each in SIZES if size_bytes >= each[0]), SIZES[-1])
    return f"{size_bytes / unit:.1f} {name}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


RULE = Rule(
    code="memory-growth",
    title="Memory grows",
    meaning="The memory of a training loop grows step by step, because something keeps what each step makes.",
    needs=METRICS,
    check=_check,
    looks_at="whole",
    is_of_loop=True,
)
