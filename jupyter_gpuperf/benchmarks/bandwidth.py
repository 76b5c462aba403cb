"""Benchmark of memory bandwidth: device memory, and copies between host and device.

Copies count the bytes read and the bytes written; the triad ``a = b + s·c`` reads two buffers and writes one. Buffers
are many times the size of the L2. Between host and device, pinned memory goes straight over the link, while the driver
copies pageable memory once more: the difference is what ``pin_memory`` can gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.device import first_device, limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import free
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.units import PCIE_LANE_BYTES_PER_SECOND

MIB: Final = 1 << 20
SMALLEST_BYTES: Final = 64 * MIB
"""Smaller buffers fit in the cache of a large chip."""
LANES: Final = 16

Work = tuple[Callable[[], object], float]
"""The call to time, and the bytes that one call moves."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the bandwidths in bytes per second; see the module docstring."""
    import torch

    device = first_device(torch)
    size_bytes = parameters["size_mib"] * MIB
    resources.check_room(3 * size_bytes, hint="Ask for a smaller size_mib.")
    if device.type == "cpu":
        context.warn("This torch sees no CUDA device: the host's own memory was measured.")
    works = _works(torch, device, size_bytes, context)

    def measure(call: Callable[[], object], moved_bytes: float, context: Context) -> list[float]:
        def words(seconds: float) -> str:
            return Message(
                "{moved_bytes:.4g} GB/s", moved_bytes=moved_bytes / seconds / 1000000000.0
            )

        stopwatch = Stopwatch(parameters, context, 1 / len(works))
        return stopwatch.call(call, device, words).call_seconds

    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    for place, (name, (call, moved_bytes)) in enumerate(works.items()):
        part = context.part(place, len(works), name.replace("_", " "))
        samples[f"{name}_seconds"] = seconds = measure(call, moved_bytes, part)
        figures[f"{name}_bytes_per_second"] = inverse(median_interval(seconds), moved_bytes)
    return Measured(
        unit="bytes_per_second",
        figures=figures,
        samples=samples,
        environment=describe(torch, device),
        limits=_limits(torch, device),
    )


def _works(torch: Any, device: Any, size_bytes: int, context: Context) -> dict[str, Work]:
    """Return the calls to time. Halve the buffers, with a warning, until they fit in the GPU's memory."""
    if device.type == "cpu":
        return _on_device(torch, device, size_bytes)
    while True:
        try:
            own = _on_device(torch, device, size_bytes)
            return own | _over_the_link(torch, device, size_bytes)
        except torch.cuda.OutOfMemoryError:
            if size_bytes <= SMALLEST_BYTES:
                raise
        free(torch)
        size_bytes //= 2
        context.warn(
            Message(
                "The GPU's memory ran out: measured with {size_bytes} MiB.",
                size_bytes=size_bytes // MIB,
            )
        )


def _on_device(torch: Any, device: Any, size_bytes: int) -> dict[str, Work]:
    count = size_bytes // 4
    a, b, c = (torch.rand(count, device=device) for _ in range(3))
    return {
        "copy": (lambda: a.copy_(b), 2.0 * size_bytes),
        "triad": (lambda: torch.add(b, c, alpha=3.0, out=a), 3.0 * size_bytes),
    }


def _over_the_link(torch: Any, device: Any, size_bytes: int) -> dict[str, Work]:
    there = torch.empty(size_bytes, dtype=torch.uint8, device=device)
    back = torch.empty_like(there)
    # Written once, so that every page is allocated.
    pinned = torch.ones(size_bytes, dtype=torch.uint8).pin_memory()
    pinned_back = torch.ones(size_bytes, dtype=torch.uint8).pin_memory()
    pageable = torch.ones(size_bytes, dtype=torch.uint8)
    other_way = torch.cuda.Stream(device)

    def both_ways() -> None:
        here = torch.cuda.current_stream(device)
        other_way.wait_stream(here)
        there.copy_(pinned, non_blocking=True)
        with torch.cuda.stream(other_way):
            pinned_back.copy_(back, non_blocking=True)
        here.wait_stream(other_way)

    size = float(size_bytes)
    return {
        "host_to_device_pinned": (lambda: there.copy_(pinned, non_blocking=True), size),
        "device_to_host_pinned": (lambda: pinned_back.copy_(back, non_blocking=True), size),
        "both_ways_pinned": (both_ways, 2 * size),
        "host_to_device_pageable": (lambda: there.copy_(pageable), size),
        "device_to_host_pageable": (lambda: pageable.copy_(back), size),
    }


def _limits(torch: Any, device: Any) -> dict[str, float]:
    chip = limits_of(torch, device)
    if chip is None:
        return {}
    link = LANES * PCIE_LANE_BYTES_PER_SECOND.get(chip.pcie_generation, 0.0)
    limits = {f"{name}_bytes_per_second": chip.bytes_per_second for name in ("copy", "triad")}
    for way in ("host_to_device", "device_to_host"):
        for kind in ("pinned", "pageable"):
            limits[f"{way}_{kind}_bytes_per_second"] = link
    limits["both_ways_pinned_bytes_per_second"] = 2 * link
    return {name: limit for name, limit in limits.items() if limit}


BENCHMARK = Benchmark(
    name="bandwidth",
    label="Memory bandwidth",
    help="Copy and triad in the device's memory; copies between host and device, pinned and pageable, "
    "both ways.",
    requires=("torch",),
    parameters=(
        Parameter.integer(
            "size_mib", 512, (64, 16_384), "Size of each buffer, in MiB; larger than any cache."
        ),
        RIGOROUS,
        Parameter.time_limit(30.0, "For all copies together.", minimum=2.0),
    ),
    run=run,
)
