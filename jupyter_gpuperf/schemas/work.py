"""What a step does: samples, tokens and operations, summed over some steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from jupyter_gpuperf.schemas.bounds import Quantity

FlopsFormat = Literal["fp64", "fp32", "tf32", "fp16", "bf16", "fp8"]
"""The number format of most of a step's operations."""
FlopsUnknown = Literal[
    "compiled",
    "several_models",
    "uncounted_operations",
    "frozen_layers",
    "no_backward_pass",
    "other_tensors",
    "other_modes",
]
"""Why a step's operations are not counted."""
Work = Literal["samples", "tokens", "flops"]
WORK: Final[tuple[Work, ...]] = get_args(Work)
Amount = Annotated[float, Meta(ge=0, le=1e24)]


class LoopFlops(Struct, frozen=True, kw_only=True):
    """What is known of the operations of a loop's steps."""

    flops_format: FlopsFormat | None = None
    """The number format of most of a step's operations; ``None`` while they are not counted."""
    flops_unknown: FlopsUnknown | None = None
    """Why the operations of the loop's steps are not counted; ``None`` if they are, or not yet."""
    peak_flops_per_second: Amount | None = None
    """The device's dense peak in this format, by its data sheet; ``None`` without a GPU, or if it is unknown."""
    peak_clock_mhz: Quantity | None = None
    """The SM clock at which the device has this peak."""


class StepWorth(Struct, frozen=True, kw_only=True):
    """What the steps of the last seconds did; ``None`` is unknown."""

    tokens_per_second: float | None = None
    """Tokens that the model was given, without those that an attention mask leaves out."""
    flops_per_step: float | None = None
    """Model FLOPs: matrix products, convolutions and attention, without recomputation."""
    flops_format: FlopsFormat | None = None
    """See :class:`LoopFlops`, as the next."""
    flops_unknown: FlopsUnknown | None = None
    flops_utilization_ratio: float | None = None
    """Model FLOPs a second over the device's dense peak in this format, by its data sheet."""
    flops_utilization_at_clock_ratio: float | None = None
    """The same, over this peak at the mean SM clock that the device had."""


class WorkSum(Struct, frozen=True, kw_only=True):
    """A sum over the ``steps`` in which the amount was known."""

    amount: Amount
    steps: Annotated[int, Meta(ge=0, le=1_000_000)]

    def mean(self) -> float | None:
        """Return the mean amount per step; ``None`` if it was known in none."""
        return self.amount / self.steps if self.steps else None


def summed(parts: Iterable[dict[Work, WorkSum]]) -> dict[Work, WorkSum]:
    """Add up the work of several groups of steps; what no step knows is left out."""
    known = list(parts)
    sums = {}
    for name in WORK:
        own = [each[name] for each in known if name in each]
        if own:
            sums[name] = WorkSum(
                amount=sum(each.amount for each in own), steps=sum(each.steps for each in own)
            )
    return sums
