"""How fast a ResNet-50 trains here: forward, loss, backward and optimizer, on images that stay on the device.

No loader, no copies: what the device could do if data were free. Model FLOP use is the share of the chip's dense
peak that the network's own arithmetic takes, as torch counts it: forward and backward, without what is
recomputed or cast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.training import (
    PRECISIONS,
    SIZES,
    Size,
    TrainingStep,
    flop_of,
    precisions_of,
)
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.measure.device import limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import fits, free, peak_bytes
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, RIGOROUS_RATIO
from jupyter_gpuperf.measure.timer import time_call

NETWORK = "resnet50"
WARM_STEPS = 3
"""The first of a compiled network is longer than any warm-up; these follow, so that the clocks are up."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = parameters["precision"]
    if precision not in precisions_of(torch, device):
        raise Unavailable(
            "format_not_supported",
            f"This device does not compute in {precision}.",
            f"Choose one of {', '.join(precisions_of(torch, device))}.",
        )
    if parameters["compile"]:
        check_compiler(torch, device)
    compiler = torch.compile if parameters["compile"] else lambda module: module
    size = _size(parameters, device.type, context)

    def make(size: Size, compiler: Any = lambda module: module) -> TrainingStep:
        return TrainingStep(
            torch,
            device,
            network=NETWORK,
            size=size,
            precision=precision,
            channels_last=parameters["channels_last"],
            compiler=compiler,
        )

    context.progress(0.0, "Trying the batch")
    size = fits(torch, lambda smaller: make(smaller)(), size, context.warn)
    flop = flop_of(torch, make(size))
    figures: dict[str, Any] = {}
    context.progress(0.1, "Compiling" if parameters["compile"] else "Warming up")
    if device.type == "cuda":
        peak = peak_bytes(torch, device, lambda: make(size, compiler))
        figures["peak_bytes"] = {"value": peak, "low": peak, "high": peak}
    free(torch)
    step = make(size, compiler)
    for _ in range(WARM_STEPS):
        step()
    timing = time_call(
        step,
        device=device,
        target_ratio=RIGOROUS_RATIO if parameters["rigorous"] else QUICK_RATIO,
        limit_seconds=parameters["time_limit_seconds"],
        progress=lambda ratio, seconds: context.progress(
            0.2 + 0.8 * ratio, f"{size.batch / seconds:.0f} images a second so far"
        ),
    )
    if timing.doubt:
        context.warn(timing.doubt)
    if timing.launch_bound:
        context.warn("Launch-bound: the host takes nearly as long to queue a step as the device.")
    seconds = median_interval(timing.call_seconds)
    figures = {
        "step_seconds": seconds,
        "images_per_second": inverse(seconds, size.batch),
        "model_flops_per_second": inverse(seconds, flop),
        **figures,
    }
    chip = limits_of(torch, device) if device.type == "cuda" else None
    peak_flops = chip.flops.get(precision) if chip else None
    return {
        "unit": "seconds",
        "figures": figures,
        "samples": {"step_seconds": timing.call_seconds},
        "environment": {
            **describe(torch, device),
            "measured_batch_size": size.batch,
            "measured_image_size": size.side,
            "step_tflop": round(flop / 1e12, 3),
            "limits_from": chip.source if chip else None,
            "limit_clock_mhz": chip.clock_mhz if chip else None,
        },
        "limits": {"model_flops_per_second": peak_flops} if peak_flops else {},
    }


def _size(parameters: Mapping[str, Any], kind: str, context: Context) -> Size:
    batch, side = parameters["batch_size"], parameters["image_size"]
    if kind == "cpu":
        small = SIZES[NETWORK, kind]
        context.warn(
            "This torch sees no CUDA device: measured on the processor, with at most "
            f"{small.batch} images of {small.side} pixels."
        )
        batch, side = min(batch, small.batch), min(side, small.side)
    return Size(batch=batch, side=side)


BENCHMARK = Benchmark(
    name="train",
    label="Training (ResNet-50)",
    help="A ResNet-50 training step on synthetic images: images a second, the share of the chip's "
    "arithmetic that it uses, and peak memory.",
    requires=("torch",),
    parameters=(
        Parameter(
            name="batch_size",
            type="integer",
            default=128,
            minimum=2,  # one image of 32 pixels leaves batch normalisation a single value
            maximum=4096,
            help="Images in a batch.",
        ),
        Parameter(
            name="image_size",
            type="integer",
            default=224,
            minimum=32,
            maximum=1024,
            help="Height and width of an image, in pixels.",
        ),
        Parameter(
            name="precision",
            type="choice",
            default="bf16",
            choices=PRECISIONS,
            help="fp32 means IEEE, without TF32; bf16 and fp16 by autocast, fp16 with a gradient scaler.",
        ),
        Parameter(
            name="channels_last",
            type="boolean",
            default=True,
            help="Keep images as tensor cores like them: channels last.",
        ),
        Parameter(
            name="compile",
            type="boolean",
            default=False,
            help="Compile the network with torch.compile; compiling is not part of the time.",
        ),
        Parameter(
            name="rigorous",
            type="boolean",
            default=False,
            help="Measure in five fresh processes, each until its interval is within 1 % instead of 3 %; the interval then holds for the next run, too.",
        ),
        Parameter(
            name="time_limit_seconds",
            type="number",
            default=30.0,
            minimum=1.0,
            maximum=600.0,
            help="Stop measuring after this time, converged or not.",
        ),
    ),
    run=run,
)
