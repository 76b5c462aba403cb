"""Judge whether a mode computes the same: compare its distance from fp32 with fp32's distance from itself.

fp32 is run twice with the same seed (its own noise: atomics add in any order) and with other seeds (the randomness
that training has anyway). A deviation means something only relative to these floors.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.trace import LARGEST_FP16, Operator, Trace

EPSILON: Final = {
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float64": 2.0**-52,
}
DIVERGES: Final = 8.0
"""An operator diverges when its output is off by this many rounding errors of its format."""
WITHIN, CLOSE, FAR, BROKEN, UNKNOWN = "within", "close", "far", "broken", "unknown"
FLOORS: Final = {
    "seed": Message("seed noise"),
    "repeat": Message("fp32's own noise"),
    "step": Message("what one step changes"),
}
CLOSE_RATIO: Final = 3.0
RANDOM_RATIO: Final = 2.0
"""Seed noise counts as random above this multiple of the repeat noise.

A draw alone is no proof: a DataLoader draws a seed for its workers even when it is not used.
"""


@dataclass(slots=True)
class Floors:
    """How far fp32 is from itself, as root-mean-square differences of the loss.

    Parameters
    ----------
    repeat
        Between two identical runs.
    seed
        Between seeds; zero when nothing in the cell is random.
    step
        How much one step changes the loss: the scale when nothing is random.
    is_random
        Whether a seed makes a difference. If not, runs with other seeds differ as little as two identical runs,
        and every format would look far off against that floor.
    """

    repeat: float = 0.0
    seed: float = 0.0
    step: float = 0.0
    gradient_repeat: float = 0.0
    is_random: bool = True

    @property
    def floor(self) -> tuple[float, str]:
        """The floor that deviations are compared with, and its description."""
        other, name = (self.seed, "seed") if self.is_random else (self.step, "step")
        return (other, FLOORS[name]) if other >= self.repeat else (self.repeat, FLOORS["repeat"])

    def to_dict(self) -> dict[str, float]:
        """Return the floors as plain data."""
        names = ("repeat", "seed", "step", "gradient_repeat")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Numerics:
    """How a mode's numbers compare with fp32's.

    Attributes
    ----------
    against_floor
        The loss's deviation as a multiple of the floor; ``None`` when the floor is zero or nothing can be compared.
    """

    verdict: str = UNKNOWN
    sentence: str = ""
    against_floor: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "against_floor": self.against_floor,
            **self.details,
        }


def floors_of(reference: Trace, again: Trace, others: Sequence[Trace]) -> Floors:
    """Return fp32's floors from the reference, an identical run, and runs with other seeds."""
    losses = reference.curve
    steps = [abs(b - a) for a, b in itertools.pairwise(losses)]
    repeat = difference(losses, again.curve)
    seed = max((difference(losses, each.curve) for each in others), default=0.0)
    return Floors(
        repeat=repeat,
        seed=seed,
        is_random=reference.is_random and seed > RANDOM_RATIO * repeat,
        step=statistics.median(steps) if steps else 0.0,
        gradient_repeat=relative_distance(again.gradients, reference.gradients) or 0.0,
    )


def compare(
    trace: Trace,
    reference: Trace,
    floors: Floors,
    operators: tuple[Sequence[Operator], Sequence[Operator]] | None = None,
) -> Numerics:
    """Return how a mode's run compares with fp32's."""
    mine, theirs = trace.curve, reference.curve
    found = Numerics(
        details={
            "losses": mine,
            "reference_losses": theirs,
            "loss_difference": difference(theirs, mine),
            "first_loss_relative": _first_relative(mine, theirs),
            "floors": floors.to_dict(),
            "gradients": gradient_report(trace.gradients, reference.gradients),
            "update_cosine": cosine(trace.updates, reference.updates),
            "outputs": gradient_report(trace.outputs, reference.outputs),
            "steps_skipped": trace.steps_skipped,
            "first_divergence": first_divergence(*operators) if operators else None,
        }
    )
    _judge(found, floors)
    return found


def _judge(found: Numerics, floors: Floors) -> None:
    mine, theirs = found.details["losses"], found.details["reference_losses"]
    off, (floor, meaning) = found.details["loss_difference"], floors.floor
    if not mine:
        found.sentence = "The cell computes no loss and no output that could be compared."
    elif not all(map(math.isfinite, mine)) and all(map(math.isfinite, theirs)):
        found.verdict = BROKEN
        found.sentence = "The loss is not finite, and fp32's is."
    elif not math.isfinite(off):
        found.sentence = "fp32's own loss is not finite: there is nothing to hold it against."
    elif floor != 0:
        ratio = found.against_floor = off / floor
        found.verdict = WITHIN if ratio <= 1 else CLOSE if ratio <= CLOSE_RATIO else FAR
        found.sentence = (
            f"The loss is within {meaning} ({ratio:.2g} of it)."
            if ratio <= 1
            else f"The loss is off by {ratio:.1f} times {meaning}."
        )
    elif off == 0:
        found.verdict = WITHIN
        found.sentence = "The same numbers as fp32 to the bit."
    else:
        found.sentence = f"The loss is off by {off:.2g}; there is no noise to hold that against because nothing in the cell is random."


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the root-mean-square difference of two curves, over their common length."""
    squares = [(a - b) ** 2 for a, b in zip(one, other, strict=False)]
    return math.sqrt(statistics.fmean(squares)) if squares else 0.0


def relative_distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return ``|one - other| / |other|`` over all tensors in both; ``None`` when it is not defined."""
    apart = size = 0.0
    for name in one.keys() & other.keys():
        apart += float((one[name].double() - other[name].double()).square().sum())
        size += float(other[name].double().square().sum())
    return math.sqrt(apart / size) if size > 0 and math.isfinite(apart) else None


def cosine(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return the cosine of the angle between ``one`` and ``other``, each taken as one long vector.

    ``None`` when one of them is zero or not finite.
    """
    dot = mine = theirs = 0.0
    for name in one.keys() & other.keys():
        a, b = one[name].double(), other[name].double()
        dot += float((a * b).sum())
        mine += float(a.square().sum())
        theirs += float(b.square().sum())
    if mine <= 0 or theirs <= 0 or not math.isfinite(dot):
        return None
    return dot / math.sqrt(mine * theirs)


def gradient_report(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the tensors of two runs compare: overall, and for the five parameters that are furthest off."""
    rows = []
    for name in sorted(one.keys() & other.keys()):
        mine, theirs = one[name], other[name]
        if mine.shape != theirs.shape:
            continue
        alive = theirs != 0
        count = max(1, int(alive.sum()))
        rows.append(
            {
                "parameter": name,
                "relative": relative_distance({"": mine}, {"": theirs}),
                "underflow_ratio": int(((mine == 0) & alive).sum()) / count,
                "over_fp16_ratio": int((theirs.abs() > LARGEST_FP16).sum()) / max(1, mine.numel()),
                "not_finite": int((~mine.isfinite()).sum()),
            }
        )
    if not rows:
        return {}
    worst = sorted(
        rows, key=lambda row: -(math.inf if row["relative"] is None else row["relative"])
    )
    return {
        "relative": relative_distance(one, other),
        "cosine": cosine(one, other),
        "underflow_ratio": max(row["underflow_ratio"] for row in rows),
        "over_fp16_ratio": max(row["over_fp16_ratio"] for row in rows),
        "not_finite": sum(row["not_finite"] for row in rows),
        "worst": worst[:5],
    }


def first_divergence(mine: Sequence[Operator], theirs: Sequence[Operator]) -> dict[str, Any] | None:
    """Return the first operator whose output differs from fp32's by more than its format's rounding.

    ``None`` when there is none, or when the two runs took different operators before one was found.
    """
    epsilon = EPSILON["float32"]
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if (one.name, one.shape) != (other.name, other.shape):
            return None
        broken = not math.isfinite(one.norm) and math.isfinite(other.norm)
        # A rounded value stays rounded, also in later operators that run in float32.
        epsilon = max(epsilon, EPSILON.get(one.dtype, 0.0))
        apart = abs(one.norm - other.norm) / other.norm if other.norm > 0 else 0.0
        if broken or apart > DIVERGES * epsilon:
            return {
                "operator": one.name,
                "place": place,
                "dtype": one.dtype,
                "shape": list(one.shape),
                "relative": None if broken else apart,
                "not_finite": broken,
            }
    return None


def _first_relative(one: Sequence[float], other: Sequence[float]) -> float | None:
    return abs(one[0] - other[0]) / abs(other[0]) if one and other and other[0] else None
