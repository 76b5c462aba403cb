"""Detect that the device's memory bandwidth limits the speed."""

from __future__ import annotations

from functools import partial

from jupyter_gpuperf.loaders.code_suggestions import COMPILE_SNIPPET
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

WARNING_PERCENT = Threshold(
    75.0,
    reason="Programs reach at most about 90 % of the theoretical bandwidth. Above 75 %, only less traffic helps.",
    margin="Elementwise work 89 %; a convolutional network in bf16 57 %; language models 38 to 46 %.",
)
INFO_PERCENT = Threshold(
    55.0,
    reason="Typical of convolutional networks; fusing operators may help.",
    margin="A convolutional network in bf16 57 %; language models 38 to 46 %.",
)
CONTROLLER_PERCENT = Threshold(
    90.0,
    reason="Without GPM: share of time with any memory access, whatever its rate; therefore only a note.",
    margin="Elementwise work 100 %; a convolutional network in bf16 73 %; language models 50 %.",
)

_bound = partial(
    Finding,
    advice="Move fewer bytes: fuse elementwise work with torch.compile, use bf16 instead of fp32, channels_last for "
    "convolutions, and fused optimizers. Faster compute with the same memory won't help.",
    refuted_by="Halve the bytes (bf16 instead of fp32): if it is no faster, memory was not the limit.",
    change=COMPILE_SNIPPET,
)


def _check(view: View) -> Finding | None:
    bandwidth = view.series.mean("dram_bandwidth_percent")
    if bandwidth is None:
        return _without_gpm(view)
    if bandwidth < INFO_PERCENT:
        return None
    loud = bandwidth >= WARNING_PERCENT
    return _bound(
        severity="warning" if loud else "info",
        confidence="confirmed" if loud else "suspected",
        summary=Message(
            "Memory bandwidth {percent:.0f} % used: it is the limit.", percent=bandwidth
        ),
        evidence={
            "dram_bandwidth_percent": bandwidth,
            "tensor_active_percent": view.series.mean("tensor_active_percent"),
            "busy_ratio": view.work.busy_ratio,
        },
    )


def _without_gpm(view: View) -> Finding | None:
    controller = view.series.mean("memory_controller_percent")
    if controller is None or controller < CONTROLLER_PERCENT or view.is_held_up:
        return None
    return _bound(
        severity="info",
        confidence="suspected",
        summary=Message(
            "Memory is accessed {percent:.0f} % of the time; its bandwidth may limit the speed.",
            percent=controller,
        ),
        evidence={"memory_controller_percent": controller, "busy_ratio": view.work.busy_ratio},
    )


RULE = Rule(
    code="memory-bandwidth-bound",
    title="Bound by memory bandwidth",
    meaning="The GPU computes faster than its memory delivers. That is normal for many kernels.",
    decided_by=("dram_bandwidth_percent",),
    check=_check,
)
