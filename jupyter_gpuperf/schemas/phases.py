"""The phases of a training step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct, field

from jupyter_gpuperf.schemas.bounds import Count, Name, Seconds
from jupyter_gpuperf.schemas.work import Work, WorkSum, summed

Phase = Literal["data", "copy", "forward", "backward", "optimizer", "other"]
"""A part of a step: waiting for the batch, or preparing it in a function of the loop's own; from then to the forward
pass; that, with the loss; the backward pass; the optimizer; all else."""
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
FollowedCount = Annotated[int, Meta(ge=0, le=1_000_000)]


class PhaseSeconds(Struct, frozen=True, kw_only=True):
    """Times of one phase. ``None`` is unknown, and not zero."""

    host_seconds: Seconds | None = None
    """How long the host was in it."""
    gpu_seconds: Seconds | None = None
    """The time from the GPU's reaching its begin to reaching its end, idle time included; ``None`` without a GPU."""
    gpu_idle_seconds: Seconds | None = None
    """The part of it in which the GPU had nothing to do, where that was shown: while the loop waits for data."""


class HostLine(Struct, frozen=True, kw_only=True):
    """A function of the user's in which a loop's host time is spent, apart from the phases; by looks at its stack."""

    function: Name
    """The function that the loop calls; ``<module>`` if the time is spent in a cell's or a script's own lines."""
    file: Name
    line: Count
    """The line in which the function is most often."""
    ratio: Annotated[float, Meta(ge=0, le=1)]
    """Share of a step's time on the host."""
    is_bounded: bool = False
    """Whether its calls are marked: their time is the phase ``data`` then, or a part of it."""


HostLines = Annotated[list[HostLine], Meta(max_length=8)]
"""Where a loop's host spends the most time apart from the phases, the largest share first."""


class OptimizerInfo(Struct, frozen=True, kw_only=True):
    """The optimizers that step in a loop, as one."""

    class_name: Name
    """The class of the one that updates the most tensors."""
    tensors_count: Count
    """Number of tensors that they update."""
    is_fused: bool | None = None
    """Whether any of them was created with ``fused=True``; ``None`` if that is not known to work for each of them."""
    is_foreach: bool = True
    """Whether each operation is launched for many tensors at once, which is torch's default on a GPU."""


class FollowedSteps(Struct, frozen=True, kw_only=True):
    """Sums over the steps whose phases were measured: some ten a second."""

    count: FollowedCount
    step_seconds: Seconds
    has_forward: bool
    """Whether the begin of the forward pass is known; otherwise, ``forward`` contains ``copy``."""
    phases: dict[Phase, PhaseSeconds]
    work: dict[Work, WorkSum] = field(default_factory=dict)
    """What the steps did, as far as it is known."""


def merged_phases(
    one: FollowedSteps | None, next_one: FollowedSteps | None
) -> FollowedSteps | None:
    """Merge the phases of two tallies; of one alone if only that has the begin of the forward pass.

    A time that is unknown in one of them is unknown.
    """
    if one is None or next_one is None:
        return one or next_one
    if one.has_forward != next_one.has_forward:
        return one if one.has_forward else next_one
    return FollowedSteps(
        count=one.count + next_one.count,
        step_seconds=one.step_seconds + next_one.step_seconds,
        has_forward=one.has_forward,
        phases={
            phase: _added(
                each for each in (one.phases.get(phase), next_one.phases.get(phase)) if each
            )
            for phase in PHASES
            if phase in one.phases or phase in next_one.phases
        },
        work=summed((one.work, next_one.work)),
    )


def _added(parts: Iterable[PhaseSeconds]) -> PhaseSeconds:
    known = list(parts)
    sums: dict[str, float | None] = {}
    for name in PhaseSeconds.__struct_fields__:
        values = [getattr(each, name) for each in known]
        sums[name] = None if None in values else math.fsum(values)
    return PhaseSeconds(**sums)
