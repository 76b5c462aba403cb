"""Detect matrix work in a precision that the tensor cores don't support."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.loaders.code_suggestions import LOWER_PRECISION_SNIPPET
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

UNITS: Final = ("tensor_active_percent", "fp32_active_percent")

FP32_PERCENT = Threshold(
    25.0,
    reason="fp32 units busy a quarter of the time: only matrix work or a simulation computes that much.",
    margin="Language model: fp32 59 %, bf16 3 %; elementwise work 1 %; convolutional network in bf16 3 %.",
)
TENSOR_TO_FP32_RATIO = Threshold(
    0.25,
    reason="With TF32 or half precision, the tensor cores work more than the fp32 units, not a quarter as much.",
    margin="A language model in fp32 0.05; in bf16 7; matrix products in bf16 over 100.",
)
BUSY_RATIO = Threshold(
    0.5, reason="A mostly idle device has another problem.", margin="A language model in fp32 0.99."
)


def _check(view: View) -> Finding | None:
    work = view.work
    tensor, fp32 = map(view.series.mean, UNITS)
    if tensor is None or fp32 is None or work.busy_ratio < BUSY_RATIO:
        return None
    if fp32 < FP32_PERCENT or tensor >= TENSOR_TO_FP32_RATIO * fp32:
        return None
    return Finding(
        severity="warning",
        confidence="suspected",
        summary=Message(
            "Tensor cores busy {tensor:.0f} %, fp32 units {fp32:.0f} %: matrix work runs in full fp32.",
            tensor=tensor,
            fp32=fp32,
        ),
        evidence={
            "tensor_active_percent": tensor,
            "fp32_active_percent": fp32,
            "busy_ratio": work.busy_ratio,
            "power_watts": view.series.mean("power_watts"),
        },
        advice="Allow TF32 (one line), or use autocast with bf16; before Ampere fp16 with a GradScaler. %%amp_profile "
        "measures the gain for your cell.",
        refuted_by="If it isn't matrix work (a simulation, image filters), tensor cores can't do it.",
        change=LOWER_PRECISION_SNIPPET,
    )


RULE = Rule(
    code="tensor-cores-idle",
    title="Tensor cores idle",
    meaning="Matrix work runs in fp32, so the GPU's fastest units are idle.",
    needs=(*UNITS, "utilization_percent"),
    decided_by=UNITS,
    check=_check,
    is_of_loop=True,
)
