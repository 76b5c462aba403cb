"""Matrix work in a precision that the tensor cores don't support."""

from __future__ import annotations

from jupyter_gpuperf.loaders.code_suggestions import LOWER_PRECISION
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

FP32_PERCENT = Threshold(
    25.0,
    reason="The fp32 units work a quarter of all time: that much arithmetic is matrix work, or a simulation.",
    margin="A language model in fp32 59 %; the same in bf16 3 %; elementwise work 1 %; a convolution network in "
    "bf16 3 %.",
)
TENSOR_TO_FP32_RATIO = Threshold(
    0.25,
    reason="With TF32 or half precision the tensor cores work more than the fp32 units, not a quarter as much.",
    margin="A language model in fp32 0.05; in bf16 7; matrix products in bf16 over 100.",
)
BUSY_RATIO = Threshold(
    0.5,
    reason="A device that is idle most of the time has another trouble first.",
    margin="A language model in fp32 0.99.",
)


def _check(view: View) -> Finding | None:
    work = view.work
    tensor, fp32 = (view.series.mean(f"{unit}_active_percent") for unit in ("tensor", "fp32"))
    if tensor is None or fp32 is None or work.busy_ratio < BUSY_RATIO:
        return None
    if fp32 < FP32_PERCENT or tensor >= TENSOR_TO_FP32_RATIO * fp32:
        return None
    return Finding(
        severity="warning",
        confidence="suspected",
        summary=Message(
            "The tensor cores work {tensor:.0f} % of the time, the fp32 units {fp32:.0f} "
            "%: the matrix work is done in full fp32.",
            tensor=tensor,
            fp32=fp32,
        ),
        evidence={
            "tensor_active_percent": tensor,
            "fp32_active_percent": fp32,
            "busy_ratio": work.busy_ratio,
            "power_watts": view.series.mean("power_watts"),
        },
        advice="Allow TF32 (one line), or run the forward pass under autocast in bf16; fp16 with a GradScaler "
        "on devices before Ampere. %%amp_profile measures what each brings for your cell.",
        refuted_by="If the work is no matrix work (a simulation, image filters), tensor cores can't do it.",
        change=LOWER_PRECISION,
    )


RULE = Rule(
    code="tensor-cores-idle",
    title="Tensor cores idle",
    meaning="The GPU is busy with matrix work, but its fastest units have nothing to do: the precision is fp32.",
    needs=("tensor_active_percent", "fp32_active_percent", "utilization_percent"),
    check=_check,
    is_of_loop=True,
)
