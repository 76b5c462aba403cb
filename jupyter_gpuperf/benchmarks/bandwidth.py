"""Benchmark of memory bandwidth: in device memory, and between host and device.

A copy in device memory counts the bytes read and the bytes written; the triad ``a = b + s·c`` reads two buffers and
writes one. The default buffers are many times the size of the L2 cache. Pinned host memory is transferred directly,
while the driver first copies pageable memory to a pinned buffer: the difference is what ``pin_memory`` can gain.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.device import device_of
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.device import limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.units import PCIE_LANE_BYTES_PER_SECOND

MIB: Final = 1 << 20
SMALLEST_BYTES: Final = 64 * MIB
"""Smaller buffers fit in the cache of a large chip."""
NO_GPU: Final = Message("PyTorch found no GPU; measured the host's memory.")

CallAndBytes = tuple[Callable[[], object], float]
"""The call to time, and the number of bytes that one call moves."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the bandwidths in bytes per second; see the module docstring."""
    import torch

    device = device_of(torch, context, NO_GPU)
    size_bytes = parameters["size_mib"] * MIB
    resources.check_available_memory(3 * size_bytes, hint="Choose a smaller size_mib.")
    calls = _calls(torch, device, size_bytes, context)
    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    for index, (name, (call, moved_bytes)) in enumerate(calls.items()):
        part = context.part(index, len(calls), Message(name.replace("_", " ")))
        timing = Stopwatch(parameters, part, 1 / len(calls)).call(
            call, device, functools.partial(_rate, moved_bytes)
        )
        samples[f"{name}_seconds"] = timing.call_seconds
        interval = median_interval(timing.call_seconds)
        figures[f"{name}_bytes_per_second"] = inverse(interval, moved_bytes)
    return Measured(
        unit="bytes_per_second",
        figures=figures,
        samples=samples,
        environment=describe(torch, device),
        limits=_limits(torch, device),
    )


def _rate(moved_bytes: float, seconds: float) -> str:
    return f"{moved_bytes / seconds / 1e9:.4g} GB/s"


def _calls(torch: Any, device: Any, size_bytes: int, context: Context) -> dict[str, CallAndBytes]:
    """Return the calls to time, by name. If buffers don't fit in the GPU's memory, warns and halves their size."""
    if device.type == "cpu":
        return _on_device(torch, device, size_bytes)
    while True:
        try:
            return _on_device(torch, device, size_bytes) | _over_the_link(torch, device, size_bytes)
        except torch.cuda.OutOfMemoryError:
            if size_bytes <= SMALLEST_BYTES:
                raise
        free_device_memory(torch)
        size_bytes //= 2
        message = "The GPU ran out of memory; measured with {mib} MiB."
        context.warn(Message(message, mib=size_bytes // MIB))


def _on_device(torch: Any, device: Any, size_bytes: int) -> dict[str, CallAndBytes]:
    a, b, c = (torch.rand(size_bytes // 4, device=device) for _ in range(3))
    return {
        "copy": (lambda: a.copy_(b), 2.0 * size_bytes),
        "triad": (lambda: torch.add(b, c, alpha=3.0, out=a), 3.0 * size_bytes),
    }


def _over_the_link(torch: Any, device: Any, size_bytes: int) -> dict[str, CallAndBytes]:
    target = torch.empty(size_bytes, dtype=torch.uint8, device=device)
    source = torch.empty_like(target)
    # Use ones, not empty: only writing to a page allocates it.
    pinned = torch.ones(size_bytes, dtype=torch.uint8).pin_memory()
    pinned_target = torch.ones(size_bytes, dtype=torch.uint8).pin_memory()
    pageable = torch.ones(size_bytes, dtype=torch.uint8)
    second_stream = torch.cuda.Stream(device)

    def both_ways() -> None:
        stream = torch.cuda.current_stream(device)
        second_stream.wait_stream(stream)
        target.copy_(pinned, non_blocking=True)
        with torch.cuda.stream(second_stream):
            pinned_target.copy_(source, non_blocking=True)
        stream.wait_stream(second_stream)

    size = float(size_bytes)
    return {
        "host_to_device_pinned": (lambda: target.copy_(pinned, non_blocking=True), size),
        "device_to_host_pinned": (lambda: pinned_target.copy_(source, non_blocking=True), size),
        "both_ways_pinned": (both_ways, 2 * size),
        "host_to_device_pageable": (lambda: target.copy_(pageable), size),
        "device_to_host_pageable": (lambda: pageable.copy_(source), size),
    }


def _limits(torch: Any, device: Any) -> dict[str, float]:
    chip = limits_of(torch, device)
    if chip is None:
        return {}
    lane = PCIE_LANE_BYTES_PER_SECOND.get(chip.pcie_generation or 0, 0.0)
    link = lane * (chip.pcie_lanes or 0)
    ways = itertools.product(("host_to_device", "device_to_host"), ("pinned", "pageable"))
    limits = dict.fromkeys(("copy", "triad"), chip.bytes_per_second)
    limits |= dict.fromkeys(("_".join(each) for each in ways), link)
    limits["both_ways_pinned"] = 2 * link
    return {f"{name}_bytes_per_second": limit for name, limit in limits.items() if limit}


BENCHMARK = Benchmark(
    name="bandwidth",
    label="Memory bandwidth",
    help="Copy and triad in device memory; copies between host and device, pinned and pageable, both ways.",
    requires=("torch",),
    parameters=(
        Parameter.integer("size_mib", 512, (64, 16_384), "MiB per buffer, larger than any cache."),
        RIGOROUS,
        Parameter.time_limit(30.0, "Total measuring time, for all copies together.", minimum=2.0),
    ),
    run=run,
)
