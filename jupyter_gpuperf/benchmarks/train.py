"""Benchmark of training ResNet-50: forward, loss, backward and optimizer, on images that stay on the device.

There is no DataLoader and no copy to the device, so this is the rate that the device could reach if data took no time.
Model FLOP utilization compares the rate of the network's own arithmetic with the chip's dense peak. torch counts this
arithmetic: forward and backward, without recomputation or casts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads import training
from jupyter_gpuperf.benchmarks.workloads.device import warn_if_launch_bound
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import SIZES, Size, TrainingStep
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.measure.device import PRECISIONS, first_device, limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import free_device_memory, largest_that_fits, peak_bytes
from jupyter_gpuperf.measure.statistics import exact_interval, inverse, median_interval
from jupyter_gpuperf.messages import Message

NETWORK = "resnet50"
WARM_STEPS = 3
"""Steps before timing. Compiling in the first takes longer than the timer's warm-up; the others raise the clocks."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure seconds per training step; see the module docstring."""
    import torch

    device = first_device(torch)
    precision = parameters["precision"]
    training.check_precision(torch, device, precision)
    if parameters["compile"]:
        check_compiler(torch, device)
    options = {"precision": precision, "channels_last": parameters["channels_last"]}
    make = functools.partial(TrainingStep, torch, device, network=NETWORK, **options)
    size = _size(parameters, device.type, context)
    context.progress(0.0, "Trying the batch size")
    size = largest_that_fits(torch, lambda smaller: make(size=smaller)(), size, context.warn)
    flop = training.flop_of(torch, make(size=size))
    make = functools.partial(make, size=size, compiled=parameters["compile"])
    peak: dict[str, Any] = {}
    context.progress(0.1, "Compiling" if parameters["compile"] else "Warming up")
    if device.type == "cuda":
        peak["peak_bytes"] = exact_interval(peak_bytes(torch, device, make))
    free_device_memory(torch)
    step = make()
    for _ in range(WARM_STEPS):
        step()
    timing = Stopwatch(parameters, context.span(0.2, 1.0)).call(
        step,
        device,
        describe=lambda seconds: Message("{rate:.0f} images/s so far", rate=size.batch / seconds),
    )
    warn_if_launch_bound(timing, context)
    seconds = median_interval(timing.call_seconds)
    figures = {
        "step_seconds": seconds,
        "images_per_second": inverse(seconds, size.batch),
        "model_flops_per_second": inverse(seconds, flop),
        **peak,
    }
    chip = limits_of(torch, device)
    peak_flops = chip.flops.get(precision) if chip else None
    return Measured(
        unit="seconds",
        figures=figures,
        samples={"step_seconds": timing.call_seconds},
        environment={
            **describe(torch, device),
            "measured_batch_size": size.batch,
            "measured_image_size": size.side,
            "step_tflop": round(flop / 1e12, 3),
            **(chip.limit_entries(precision) if chip else {}),
        },
        limits={"model_flops_per_second": peak_flops} if peak_flops else {},
    )


def _size(parameters: Mapping[str, Any], kind: str, context: Context) -> Size:
    batch, side = parameters["batch_size"], parameters["image_size"]
    if kind == "cpu":
        small = SIZES[NETWORK, kind]
        message = "PyTorch found no GPU; measured {batch} images of {side} pixels on the CPU."
        batch, side = min(batch, small.batch), min(side, small.side)
        context.warn(Message(message, batch=batch, side=side))
    return Size(batch=batch, side=side)


BENCHMARK = Benchmark(
    name="train",
    label="Training (ResNet-50)",
    help="A ResNet-50 training step on synthetic images: images per second, the share of the chip's peak rate, "
    "and peak memory.",
    requires=("torch",),
    parameters=(
        Parameter.integer("batch_size", 128, (2, 4096), "Images per batch."),
        Parameter.integer("image_size", 224, (32, 1024), "Height and width, in pixels."),
        Parameter.choice("precision", "bf16", PRECISIONS, training.PRECISION_HELP),
        Parameter.boolean("channels_last", True, "The layout that tensor cores prefer."),
        Parameter.boolean("compile", False, "Use torch.compile; compile time is not included."),
        RIGOROUS,
        Parameter.time_limit(30.0),
    ),
    run=run,
)
