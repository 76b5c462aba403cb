"""The device's memory bandwidth sets the pace."""

from __future__ import annotations

from functools import partial

from jupyter_gpuperf.loaders.code_suggestions import COMPILE_SNIPPET
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

WARNING_PERCENT = Threshold(
    75.0,
    reason="No program carries more than about 90 % of what the memory can in theory: beyond three quarters, "
    "nothing but less traffic makes it faster.",
    margin="Elementwise work 89 %; a convolution network in bf16 57 %; language models 38 to 46 %.",
)
INFO_PERCENT = Threshold(
    55.0,
    reason="Usual for convolution networks; fusing may help.",
    margin="A convolution network in bf16 57 %; language models 38 to 46 %.",
)
CONTROLLER_PERCENT = Threshold(
    90.0,
    reason="Without GPM: share of time in which the memory was used at all, which says little of how much. "
    "So it is a note at most.",
    margin="Elementwise work 100 %; a convolution network in bf16 73 %; language models 50 %.",
)


_bound = partial(
    Finding,
    advice="Move fewer bytes: fuse elementwise work with torch.compile, use bf16 instead of fp32, channels_last for "
    "convolutions, and fused optimizers. A faster chip with the same memory would change nothing.",
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
            "Memory traffic is at {bandwidth:.0f} % of what the device can carry: it sets "
            "the pace, and not arithmetic.",
            bandwidth=bandwidth,
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
            "Device memory is read or written {controller:.0f} % of the time: its "
            "bandwidth may set the pace.",
            controller=controller,
        ),
        evidence={
            "memory_controller_percent": controller,
            "busy_ratio": view.work.busy_ratio,
        },
    )


RULE = Rule(
    code="memory-bandwidth-bound",
    title="Bound by memory traffic",
    meaning="The GPU computes faster than its memory delivers. For many kernels that is as it must be.",
    check=_check,
)
