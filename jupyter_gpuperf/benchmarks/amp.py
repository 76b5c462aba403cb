"""Benchmark of mixed precision: a training step in fp32, TF32, bf16 and fp16, measured in turn.

Trains a residual network and a transformer on data that stays on the device. The precisions alternate in one
process, so that a GPU that warms up favors none of them. fp32 means IEEE single precision: TF32 is off, also in cuDNN.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.device import NO_GPU_SMALLER_STEP, device_of
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import NETWORKS, TrainingStep, fitting_size
from jupyter_gpuperf.measure.device import precisions_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import peak_bytes
from jupyter_gpuperf.measure.statistics import exact_interval
from jupyter_gpuperf.measure.timer import warmed_up_timer


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the step time of each network in each precision; see the module docstring."""
    import torch

    device = device_of(torch, context, NO_GPU_SMALLER_STEP)
    precisions = precisions_of(torch, device)
    if device.type == "cuda" and "bf16" not in precisions:
        context.warn("Skipped bf16 and TF32: this GPU does not support them in hardware.")
    networks = NETWORKS if parameters["network"] == "both" else (parameters["network"],)
    figures: dict[str, Any] = {}
    samples: dict[str, list[float]] = {}
    environment = describe(torch, device)
    for index, network in enumerate(networks):
        part = context.part(index, len(networks), network)
        size = fitting_size(torch, device, network, precisions, context.warn)
        environment[f"{network}_batch_size"] = size.batch
        make = functools.partial(TrainingStep, torch, device, network=network, size=size)
        if device.type == "cuda":
            for each in precisions:
                peak = peak_bytes(torch, device, functools.partial(make, precision=each))
                figures[f"{network}_{each}_peak_bytes"] = exact_interval(peak)
        steps = {each: make(precision=each) for each in precisions}
        blocks = {each: warmed_up_timer(step, device) for each, step in steps.items()}
        timings = Stopwatch(parameters, part, 1 / len(networks)).in_turn(blocks)
        compared = timings.figures("step_seconds", "fp32")
        figures |= {f"{network}_{name}": figure for name, figure in compared.items()}
        samples |= {f"{network}_{each}_step_seconds": timings.samples[each] for each in steps}
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


BENCHMARK = Benchmark(
    name="amp",
    label="Mixed precision",
    help="A training step of a residual network and of a transformer in fp32, TF32, bf16 and fp16: "
    "time, speedup over fp32, and peak memory.",
    requires=("torch",),
    parameters=(
        Parameter.choice("network", "both", ("both", *NETWORKS), "Network to train."),
        RIGOROUS,
        Parameter.time_limit(30.0),
    ),
    run=run,
)
