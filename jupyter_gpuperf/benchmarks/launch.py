"""What it costs the host to give the device work.

A kernel that does next to nothing, launched one after another: the time per launch is the host's. A model
whose kernels are shorter than that is launch-bound: the device waits for Python. A captured graph shows how
much of it replaying saves. On a processor, the same for one tiny operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.measure.device import first_device
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import median_interval
from jupyter_gpuperf.measure.stopping import StopRule, target_ratio

CALLS: Final = 500
"""Launches in a block; fewer than the device's queue holds, so that the host never waits for room."""
GRAPH_KERNELS: Final = 100


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    device = first_device(torch)
    one = torch.zeros(1, device=device)

    def tiny() -> None:
        one.add_(1)

    blocks: dict[str, Callable[[], float]] = {"launch_seconds": _launches(torch, device, tiny)}
    if device.type == "cuda":
        blocks["launch_and_wait_seconds"] = _waits(torch, device, tiny)
        blocks["graph_kernel_seconds"] = _replays(torch, device, tiny)
    else:
        context.warn("This torch sees no CUDA device: the cost of one operation was measured.")
    samples = {}
    for place, (name, block) in enumerate(blocks.items()):
        part = context.part(place, len(blocks), name.removesuffix("_seconds").replace("_", " "))
        samples[name] = _sample(block, parameters, part, len(blocks))
    return {
        "unit": "seconds",
        "figures": {name: median_interval(values) for name, values in samples.items()},
        "samples": samples,
        "environment": describe(torch, device),
    }


def _sample(
    block: Callable[[], float], parameters: Mapping[str, Any], context: Context, parts: int
) -> list[float]:
    for _ in range(3):
        block()  # compiles, allocates, wakes the clocks
    rule = StopRule(
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=parameters["time_limit_seconds"] / parts,
        interval_of=median_interval,
    )
    rule.run(block, lambda ratio, blocks: context.progress(ratio, f"{1e6 * blocks[-1]:.2f} µs"))
    context.doubt(rule.doubt())
    return rule.blocks


def _launches(torch: Any, device: Any, tiny: Callable[[], None]) -> Callable[[], float]:
    def block() -> float:
        _wait(torch, device)
        began = time.perf_counter()
        for _ in range(CALLS):
            tiny()
        return (time.perf_counter() - began) / CALLS

    return block


def _waits(torch: Any, device: Any, tiny: Callable[[], None]) -> Callable[[], float]:
    def block() -> float:
        _wait(torch, device)
        began = time.perf_counter()
        for _ in range(CALLS // 10):
            tiny()
            torch.cuda.synchronize(device)
        return (time.perf_counter() - began) / (CALLS // 10)

    return block


def _replays(torch: Any, device: Any, tiny: Callable[[], None]) -> Callable[[], float]:
    graph = torch.cuda.CUDAGraph()
    _wait(torch, device)
    with torch.cuda.graph(graph):
        for _ in range(GRAPH_KERNELS):
            tiny()

    def block() -> float:
        _wait(torch, device)
        began = time.perf_counter()
        for _ in range(CALLS // 50):
            graph.replay()
        _wait(torch, device)
        return (time.perf_counter() - began) / (CALLS // 50) / GRAPH_KERNELS

    return block


def _wait(torch: Any, device: Any) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


BENCHMARK = Benchmark(
    name="launch",
    label="Kernel launch",
    help="What one launch of a kernel costs the host, alone, with a wait for the device, and replayed "
    "from a graph.",
    requires=("torch",),
    parameters=(
        RIGOROUS,
        Parameter.time_limit(10.0, "For everything together."),
    ),
    run=run,
)
