"""How fast a small network's forward pass runs: TinyNet, a convolution that moves much memory.

Conv2d 3→64 (3×3, padding 1), ReLU, global average pool, flatten; a batch of 128 images of 224×224.
Forward only, without gradients; random data that stays on the device. Its activations are larger
than any cache, so the L2 needs no flushing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.chips import Chip
from jupyter_gpuperf.measure.device import limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, RIGOROUS_RATIO
from jupyter_gpuperf.measure.timer import Timing, time_call

CHANNELS = 64


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        context.warn("This torch sees no CUDA device: measured on the processor.")
        _check_room(parameters)
    context.progress(0.0, "Warming up")
    forward = _forward(parameters, device)
    timing = time_call(
        forward,
        device=device,
        target_ratio=RIGOROUS_RATIO if parameters["rigorous"] else QUICK_RATIO,
        limit_seconds=parameters["time_limit_seconds"],
        progress=lambda ratio, seconds: context.progress(
            0.1 + 0.9 * ratio, f"{1000 * seconds:.2f} ms a pass so far"
        ),
    )
    _warn(timing, context)
    samples = {"pass_seconds": timing.call_seconds}
    if timing.launch_seconds:
        samples["launch_seconds"] = timing.launch_seconds
    figures = {name: median_interval(values) for name, values in samples.items()}
    figures["images_per_second"] = inverse(figures["pass_seconds"], parameters["batch_size"])
    chip = limits_of(torch, device) if device.type == "cuda" else None
    limits = _limits(chip, parameters, tf32=bool(_cudnn_tf32(torch))) if chip else {}
    if "model_flops_per_second" in limits:
        figures["model_flops_per_second"] = inverse(figures["pass_seconds"], flop_of(parameters))
    return {
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {
            **describe(torch, device),
            "cudnn_tf32": _cudnn_tf32(torch),
            "model_flop_per_byte": round(flop_of(parameters) / traffic_bytes_of(parameters), 2),
            "limits_from": chip.source if chip else None,
        },
        "limits": limits,
    }


def flop_of(parameters: Mapping[str, Any]) -> float:
    """Return the operations of a pass: those of the convolution, beside which the others are nothing."""
    pixels = float(parameters["batch_size"] * parameters["image_size"] ** 2)
    return 2.0 * 3 * 9 * CHANNELS * pixels


def traffic_bytes_of(parameters: Mapping[str, Any]) -> float:
    """Return what an eager pass moves at least: no layer keeps its output in the cache for the next.

    The convolution writes, the ReLU reads and writes, the pool reads; the images are read once, by autocast three
    times: read, written and read again in its format.
    """
    pixels = float(parameters["batch_size"] * parameters["image_size"] ** 2)
    size = 4.0 if parameters["precision"] == "fp32" else 2.0
    images = 3 * pixels * (size if size == 4 else 4 + 2 * size)
    return images + 4 * CHANNELS * pixels * size


def _limits(chip: Chip, parameters: Mapping[str, Any], *, tf32: bool) -> dict[str, float]:
    precision = parameters["precision"]
    kind = "tf32" if precision == "fp32" and tf32 and "tf32" in chip.flops else precision
    limits: dict[str, float] = {}
    if chip.bytes_per_second:
        limits["pass_seconds"] = traffic_bytes_of(parameters) / chip.bytes_per_second
        limits["memory_bytes_per_second"] = chip.bytes_per_second
    if kind in chip.flops:
        limits["model_flops_per_second"] = chip.flops[kind]
    return limits


def _forward(parameters: Mapping[str, Any], device: Any) -> Any:  # noqa: ANN401  (torch's types)
    import torch
    from torch import nn

    net = nn.Sequential(
        nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    net = net.to(device).eval()
    size = parameters["image_size"]
    images = torch.rand(parameters["batch_size"], 3, size, size, device=device)
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    kind = kinds.get(parameters["precision"])

    def forward() -> object:
        autocast = torch.autocast(device.type, dtype=kind) if kind else contextlib.nullcontext()
        with torch.no_grad(), autocast:
            return net(images)

    return forward


def _check_room(parameters: Mapping[str, Any]) -> None:
    # The convolution's output and the ReLU's exist at the same time.
    activations = parameters["batch_size"] * CHANNELS * parameters["image_size"] ** 2
    needed_bytes = 2 * 4 * activations
    available_bytes = resources.available_memory_bytes()
    if available_bytes is not None and needed_bytes > 0.8 * available_bytes:
        raise BadRequest(
            "not_enough_memory",
            f"This pass takes {needed_bytes / 2**30:.1f} GiB of memory; "
            f"{available_bytes / 2**30:.1f} GiB are free.",
            "Ask for a smaller batch_size.",
        )


def _warn(timing: Timing, context: Context) -> None:
    if timing.doubt:
        context.warn(timing.doubt)
    if timing.launch_bound:
        context.warn(
            "Launch-bound: the host takes nearly as long to queue a pass as the device to compute it."
        )


def _cudnn_tf32(torch: Any) -> bool | None:  # noqa: ANN401
    with contextlib.suppress(Exception):  # newer torch refuses when old and new settings are mixed
        return bool(torch.backends.cudnn.allow_tf32)
    return None


BENCHMARK = Benchmark(
    name="compute",
    label="Compute (TinyNet)",
    help="One forward pass of a small convolution network: device time by CUDA events on a GPU, "
    "the wall clock on a processor.",
    requires=("torch",),
    parameters=(
        Parameter(
            name="batch_size",
            type="integer",
            default=128,
            minimum=1,
            maximum=8192,
            help="Images in a batch.",
        ),
        Parameter(
            name="image_size",
            type="integer",
            default=224,
            minimum=8,
            maximum=2048,
            help="Height and width of an image, in pixels.",
        ),
        Parameter(
            name="precision",
            type="choice",
            default="fp32",
            choices=("fp32", "bf16", "fp16"),
            help="fp32 as torch runs it by default, or autocast to bf16 or fp16.",
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
