"""Judge whether a mode computes the same as fp32: compare its deviation from fp32 with the noise of fp32 itself.

fp32 runs twice with the same seed, which shows its own noise (atomics add in any order), and once with each of several
other seeds, which shows the randomness that training has anyway. A deviation is meaningful only relative to these two
noise floors.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
"""An operator diverges when the norm of its output is off by more than this many rounding errors."""
WITHIN, CLOSE, FAR, BROKEN, UNKNOWN = "within", "close", "far", "broken", "unknown"
FLOORS: Final = {
    "seed": Message("seed noise"),
    "repeat": Message("fp32 run-to-run noise"),
    "step": Message("one step's change"),
}
CLOSE_RATIO: Final = 3.0
RANDOM_RATIO: Final = 2.0
"""A cell counts as random when its seed noise is above this multiple of its repeat noise.

That the cell drew random numbers is no proof: a DataLoader draws a seed for its workers even when none of them uses it.
"""


@dataclass(slots=True)
class NoiseFloors:
    """The noise of fp32, as root-mean-square differences between loss curves.

    Parameters
    ----------
    repeat
        Difference between two identical runs.
    seed
        Largest difference between the reference and a run with another seed.
    step
        Median change of the loss from one step to the next; the scale when nothing is random.
    gradient_repeat
        Relative distance between the first step's gradients of two identical runs.
    is_random
        Whether the seed makes a difference. If not, runs with other seeds differ as little as two identical runs,
        and every mode would look far off against ``seed``.
    """

    repeat: float = 0.0
    seed: float = 0.0
    step: float = 0.0
    gradient_repeat: float = 0.0
    is_random: bool = True

    @property
    def floor(self) -> tuple[float, Message]:
        """The floor that deviations are compared with, and its description."""
        name = "seed" if self.is_random else "step"
        name = name if getattr(self, name) >= self.repeat else "repeat"
        return getattr(self, name), FLOORS[name]

    def to_dict(self) -> dict[str, float]:
        """Return the floors as plain data."""
        return {name: value for name, value in asdict(self).items() if name != "is_random"}


def noise_floors(reference: Trace, again: Trace, others: Sequence[Trace]) -> NoiseFloors:
    """Return the noise floors of fp32, from the reference, an identical run, and runs with other seeds."""
    losses = reference.curve
    steps = [abs(b - a) for a, b in itertools.pairwise(losses)]
    repeat = difference(losses, again.curve)
    seed = max((difference(losses, each.curve) for each in others), default=0.0)
    return NoiseFloors(
        repeat=repeat,
        seed=seed,
        is_random=reference.is_random and seed > RANDOM_RATIO * repeat,
        step=statistics.median(steps) if steps else 0.0,
        gradient_repeat=relative_distance(again.gradients, reference.gradients) or 0.0,
    )


def compare(
    trace: Trace,
    reference: Trace,
    floors: NoiseFloors,
    operators: tuple[Sequence[Operator], Sequence[Operator]] | None = None,
) -> dict[str, Any]:
    """Return how a mode's run compares with fp32's, as plain data.

    ``against_floor`` is the deviation of the loss as a multiple of the floor; ``None`` when the floor is zero or
    nothing can be compared. ``sentence`` has no full stop, so that it can be part of another sentence.
    """
    losses, reference_losses = trace.curve, reference.curve
    off = difference(reference_losses, losses)
    verdict, sentence, ratio = _judged(losses, reference_losses, off, floors)
    if not losses and reference.integers:
        verdict, sentence = _judged_integers(trace.integers, reference.integers)
    return {
        "verdict": verdict,
        "sentence": sentence,
        "against_floor": ratio,
        "losses": losses,
        "reference_losses": reference_losses,
        "loss_difference": off,
        "first_loss_relative": _first_relative(losses, reference_losses),
        "floors": floors.to_dict(),
        "gradients": compare_tensors(trace.gradients, reference.gradients),
        "update_cosine": cosine(trace.updates, reference.updates),
        "outputs": compare_tensors(trace.outputs, reference.outputs),
        "steps_skipped": trace.steps_skipped,
        "first_divergence": first_divergence(*operators) if operators else None,
    }


def _judged(
    losses: list[float], reference_losses: list[float], off: float, floors: NoiseFloors
) -> tuple[str, Message, float | None]:
    """Return the verdict, a phrase that states it, and the deviation as a multiple of the floor."""
    floor, noise = floors.floor
    if not losses:
        return UNKNOWN, Message("no loss or output to compare"), None
    if not all(map(math.isfinite, losses)) and all(map(math.isfinite, reference_losses)):
        return BROKEN, Message("loss not finite, unlike in fp32"), None
    if not math.isfinite(off):
        return UNKNOWN, Message("nothing to compare with: loss not finite in fp32"), None
    if floor != 0:
        ratio = off / floor
        template = "loss within {noise} ({ratio:.2g}×)"
        if ratio > 1:
            template = "loss off by {ratio:.1f}× {noise}"
        verdict = WITHIN if ratio <= 1 else CLOSE if ratio <= CLOSE_RATIO else FAR
        return verdict, Message(template, noise=noise, ratio=ratio), ratio
    if off == 0:
        return WITHIN, Message("bit-identical to fp32"), None
    template = "loss off by {off:.2g}; there is no noise to compare it with (nothing is random)"
    return UNKNOWN, Message(template, off=off), None


def _judged_integers(
    integers: Mapping[str, Any], references: Mapping[str, Any]
) -> tuple[str, Message]:
    """Return the verdict on values without rounding, such as tokens: they are the same, or they are others."""
    for name, reference in sorted(references.items()):
        other = integers.get(name)
        if other is None or other.shape != reference.shape:
            return FAR, Message("{name} has another shape than in fp32", name=name)
        if (ratio := float((other != reference).double().mean())) > 0:
            template = "{percent:.2g} % of the values of {name} differ from fp32's"
            return FAR, Message(template, percent=100 * ratio, name=name)
    return WITHIN, Message("bit-identical to fp32")


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
    dot = one_squared = other_squared = 0.0
    for name in one.keys() & other.keys():
        a, b = one[name].double(), other[name].double()
        dot += float((a * b).sum())
        one_squared += float(a.square().sum())
        other_squared += float(b.square().sum())
    defined = one_squared > 0 and other_squared > 0 and math.isfinite(dot)
    return dot / math.sqrt(one_squared * other_squared) if defined else None


def compare_tensors(tensors: Mapping[str, Any], references: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the tensors of two runs compare: overall, and for the five parameters that are furthest off."""
    rows = []
    for name in sorted(tensors.keys() & references.keys()):
        tensor, reference = tensors[name], references[name]
        if tensor.shape != reference.shape:
            continue
        alive = reference != 0
        count = max(1, int(alive.sum()))
        rows.append(
            {
                "parameter": name,
                "relative": relative_distance({"": tensor}, {"": reference}),
                "underflow_ratio": int(((tensor == 0) & alive).sum()) / count,
                "over_fp16_ratio": int((reference.abs() > LARGEST_FP16).sum())
                / max(1, tensor.numel()),
                "not_finite": int((~tensor.isfinite()).sum()),
            }
        )
    if not rows:
        return {}
    worst = sorted(
        rows, key=lambda row: -(math.inf if row["relative"] is None else row["relative"])
    )
    return {
        "relative": relative_distance(tensors, references),
        "cosine": cosine(tensors, references),
        "underflow_ratio": max(row["underflow_ratio"] for row in rows),
        "over_fp16_ratio": max(row["over_fp16_ratio"] for row in rows),
        "not_finite": sum(row["not_finite"] for row in rows),
        "worst": worst[:5],
    }


def first_divergence(
    operators: Sequence[Operator], references: Sequence[Operator]
) -> dict[str, Any] | None:
    """Return the first operator whose output differs from that in fp32 by more than rounding explains.

    ``None`` when there is none, or when the two runs execute different operators before one is found.
    """
    epsilon = EPSILON["float32"]
    for index, (each, reference) in enumerate(zip(operators, references, strict=False)):
        if (each.name, each.shape) != (reference.name, reference.shape):
            return None
        broken = not math.isfinite(each.norm) and math.isfinite(reference.norm)
        # Rounding errors persist, even in later operators that run in float32.
        epsilon = max(epsilon, EPSILON.get(each.dtype, 0.0))
        apart = abs(each.norm - reference.norm) / reference.norm if reference.norm > 0 else 0.0
        if broken or apart > DIVERGES * epsilon:
            return {
                "operator": each.name,
                "place": index,
                "dtype": each.dtype,
                "shape": list(each.shape),
                "relative": None if broken else apart,
                "not_finite": broken,
            }
    return None


def _first_relative(one: Sequence[float], other: Sequence[float]) -> float | None:
    return abs(one[0] - other[0]) / abs(other[0]) if one and other and other[0] else None
