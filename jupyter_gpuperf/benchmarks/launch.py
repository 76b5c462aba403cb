"""What it costs the host to give the device work.

A kernel that does next to nothing, launched one after another: the time per launch is the host's. A model
whose kernels are shorter than that is launch-bound: the device waits for Python. A captured graph shows how
much of it replaying saves. On a processor, the same for one tiny operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import median_interval
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, RIGOROUS_RATIO, StopRule

CALLS: Final = 500
"""Launches in a block; fewer than the device's queue holds, so that the host never waits for room."""
GRAPH_KERNELS: Final = 100


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
        samples[name] = _sample(block, parameters, context, name, (place, len(blocks)))
    return {
        "unit": "seconds",
        "figures": {name: median_interval(values) for name, values in samples.items()},
        "samples": samples,
        "environment": describe(torch, device),
        "limits": {},
    }


def _sample(
    block: Callable[[], float],
    parameters: Mapping[str, Any],
    context: Context,
    name: str,
    place: tuple[int, int],
) -> list[float]:
    for _ in range(3):
        block()  # compiles, allocates, wakes the clocks
    rule = StopRule(
        target_ratio=RIGOROUS_RATIO if parameters["rigorous"] else QUICK_RATIO,
        limit_seconds=parameters["time_limit_seconds"] / place[1],
        interval_of=median_interval,
    )
    while not rule.done:
        rule.add(block())
        context.progress(
            (place[0] + rule.progress_ratio) / place[1],
            f"{name.removesuffix('_seconds').replace('_', ' ')}: {1e6 * rule.blocks[-1]:.2f} µs",
        )
    if doubt := rule.doubt():
        context.warn(f"{name.removesuffix('_seconds').replace('_', ' ')}: {doubt}")
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
        Parameter(
            name="rigorous",
            type="boolean",
            default=False,
            help="Measure in five fresh processes, each until its interval is within 1 % instead of 3 %; the interval then holds for the next run, too.",
        ),
        Parameter(
            name="time_limit_seconds",
            type="number",
            default=10.0,
            minimum=1.0,
            maximum=600.0,
            help="For everything together.",
        ),
    ),
    run=run,
)
