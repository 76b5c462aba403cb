"""Benchmark of the forward pass of TinyNet, a small network with much memory traffic.

TinyNet is Conv2d 3→64 (3×3, padding 1), ReLU, global average pool, flatten; by default with 128 images of 224×224
pixels. Computes the forward pass without gradients, on random data that stays on the device. The activations are larger
than any cache, so the L2 cache need not be flushed. The requested pass alternates with variants of it: channels last,
half precision, compiled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from jupyter_gpuperf.benchmarks.compile import empty_compile_cache
from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.device import device_of, warn_if_launch_bound
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.tinynet import CHANNELS, ForwardPass
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.chips import Chip
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.measure.device import limits_of, precisions_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.measure.timer import warmed_up_timer
from jupyter_gpuperf.messages import Message

EAGER_SHARE: Final = 0.4
"""Share of the time limit for timing the requested pass alone; in the remaining time, it alternates with variants."""
EAGER: Final = "eager"


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the forward pass and its variants; see the module docstring."""
    import torch

    device = device_of(torch, context)
    if device.type == "cpu":
        resources.check_available_memory(
            _needed_bytes(parameters), hint="Choose a smaller batch_size."
        )
    requested = ForwardPass(
        batch_size=parameters["batch_size"],
        image_size=parameters["image_size"],
        precision=parameters["precision"],
    )
    varied = parameters["variants"] in (("all",) if device.type == "cpu" else ("all", "auto"))
    share = EAGER_SHARE if varied else 1.0
    context.progress(0.0, "Warming up")
    timing = Stopwatch(parameters, context.span(0.1 * share, share), share).call(
        requested.make(torch, device),
        device,
        describe=lambda seconds: Message("{ms:.2f} ms per pass so far", ms=1000 * seconds),
        graph=True,
    )
    warn_if_launch_bound(timing, context)
    samples = {
        "pass_seconds": timing.call_seconds,
        "launch_seconds": timing.launch_seconds,
        "graph_pass_seconds": timing.graph_seconds,
    }
    samples = {name: values for name, values in samples.items() if values}
    figures: dict[str, Any] = {name: median_interval(each) for name, each in samples.items()}
    figures["images_per_second"] = inverse(figures["pass_seconds"], requested.batch_size)
    chip = limits_of(torch, device)
    tf32 = _cudnn_tf32(torch)
    kind = number_format(requested, chip, tf32=bool(tf32))
    limits = requested.work.limits(chip, kind, "pass_seconds", prefix="model_")
    if "model_flops_per_second" in limits:
        figures["model_flops_per_second"] = inverse(figures["pass_seconds"], requested.work.flop)
    if varied:
        timings = _compare_variants(torch, device, requested, parameters, context)
        figures |= timings.figures("pass_seconds", EAGER)
        samples |= {f"{name}_pass_seconds": values for name, values in timings.samples.items()}
    environment = {
        **describe(torch, device),
        "cudnn_tf32": tf32,
        **requested.work.environment_entries(chip, kind, prefix="model_"),
        **(chip.limit_entries(kind) if chip else {}),
    }
    return Measured(
        unit="seconds", figures=figures, samples=samples, environment=environment, limits=limits
    )


def number_format(requested: ForwardPass, chip: Chip | None, *, tf32: bool) -> str:
    """Return the number format of the convolution: cuDNN computes fp32 in TF32 if that is allowed and supported."""
    if requested.precision == "fp32" and tf32 and chip is not None and "tf32" in chip.flops:
        return "tf32"
    return requested.precision


def _compare_variants(
    torch: Any, device: Any, requested: ForwardPass, parameters: Mapping[str, Any], context: Context
) -> Interleaved:
    context.progress(EAGER_SHARE, "Preparing the variants")
    with empty_compile_cache():
        blocks: dict[str, Callable[[], float]] = {}
        for name, variant in _variants(torch, device, requested).items():
            try:
                if variant.compiled:
                    check_compiler(torch, device)
                blocks[name] = warmed_up_timer(variant.make(torch, device), device)
            # torch.compile raises RuntimeError, and so does torch without memory. Use only the first line: the message
            # can be pages long.
            except (Unavailable, RuntimeError) as error:
                if name == EAGER:
                    raise
                reason = getattr(error, "message", str(error).strip().partition("\n")[0])
                context.warn(Message("Skipped {variant}: {reason}", variant=name, reason=reason))
        span = context.span(0.5, 1.0, Message("Comparing the variants"))
        return Stopwatch(parameters, span, 1 - EAGER_SHARE).in_turn(blocks)


def _variants(torch: Any, device: Any, requested: ForwardPass) -> dict[str, ForwardPass]:
    """Return the passes to compare: name → pass, the requested pass first."""
    half = requested.precision
    if half == "fp32":
        half = "bf16" if "bf16" in precisions_of(torch, device) else "fp16"
    variants = {EAGER: requested}
    if half != requested.precision:
        variants[half] = replace(requested, precision=half)
    variants[f"{half}_channels_last"] = replace(requested, precision=half, channels_last=True)
    variants["compiled"] = replace(requested, compiled=True)
    return variants


def _needed_bytes(parameters: Mapping[str, Any]) -> int:
    # The outputs of the convolution and of the ReLU exist at the same time.
    return int(2 * 4 * parameters["batch_size"] * CHANNELS * parameters["image_size"] ** 2)


def _cudnn_tf32(torch: Any) -> bool | None:
    with contextlib.suppress(Exception):  # newer torch refuses a mix of old and new settings
        return bool(torch.backends.cudnn.allow_tf32)
    return None


BENCHMARK = Benchmark(
    name="compute",
    label="Compute (TinyNet)",
    help="One forward pass of a small convolutional network, compared with the shortest time that its memory traffic "
    "allows; and the gain from half precision, channels last and compiling.",
    requires=("torch",),
    parameters=(
        Parameter.integer("batch_size", 128, (1, 8192), "Images per batch."),
        Parameter.integer("image_size", 224, (8, 2048), "Height and width, in pixels."),
        Parameter.choice(
            "precision", "fp32", ("fp32", "bf16", "fp16"), "torch's default fp32, or autocast."
        ),
        Parameter.choice(
            "variants",
            "auto",
            ("auto", "none", "all"),
            "Also measure half precision, channels last and compiling. auto: only on a GPU.",
        ),
        RIGOROUS,
        Parameter.time_limit(30.0),
    ),
    run=run,
)
