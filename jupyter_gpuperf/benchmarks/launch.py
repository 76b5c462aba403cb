"""Benchmark of the host's time to launch a GPU kernel.

Repeatedly launches a kernel that does next to nothing, so the time per launch is the host's alone. A model whose
kernels take less time than that is launch-bound: the device waits for Python. Replaying a CUDA graph shows how much
time that saves. Without a GPU, times one tiny operation on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.device import device_of
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.measure.device import synchronize
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import median_interval
from jupyter_gpuperf.messages import Message

CALLS: Final = 500
"""Launches per block. The device's launch queue holds more, so the host never waits for a free slot."""
GRAPH_KERNELS: Final = 100
NO_GPU: Final = Message("PyTorch found no GPU; measured one operation on the CPU.")


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure seconds per launch, with and without waiting, and per kernel in a graph; see the module docstring."""
    import torch

    device = device_of(torch, context, NO_GPU)
    one = torch.zeros(1, device=device)

    def tiny() -> None:
        one.add_(1)

    def tiny_and_wait() -> None:
        tiny()
        torch.cuda.synchronize(device)

    blocks = {"launch_seconds": _block_of(torch, device, tiny, CALLS)}
    if device.type == "cuda":
        blocks["launch_and_wait_seconds"] = _block_of(torch, device, tiny_and_wait, CALLS // 10)
        graph = torch.cuda.CUDAGraph()
        synchronize(torch, device)
        with torch.cuda.graph(graph):
            for _ in range(GRAPH_KERNELS):
                tiny()
        replays = _block_of(torch, device, graph.replay, CALLS // 50, GRAPH_KERNELS)
        blocks["graph_kernel_seconds"] = replays
    samples = {}
    for index, (name, block) in enumerate(blocks.items()):
        label = Message(name.removesuffix("_seconds").replace("_", " "))
        part = context.part(index, len(blocks), label)
        for _ in range(3):
            block()  # the first calls compile, allocate and raise the clocks
        stopwatch = Stopwatch(parameters, part, 1 / len(blocks))
        samples[name] = stopwatch.blocks(block, describe=lambda last: f"{1e6 * last:.2f} µs")
    figures = {name: median_interval(values) for name, values in samples.items()}
    environment = describe(torch, device)
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


def _block_of(
    torch: Any, device: Any, call: Callable[[], object], calls: int, kernels: int = 1
) -> Callable[[], float]:
    """Return a function that makes ``calls`` calls and returns the seconds per kernel.

    With several kernels per call, as in a graph, the time includes waiting for the last kernel.
    """

    def block() -> float:
        synchronize(torch, device)
        began = time.perf_counter()
        for _ in range(calls):
            call()
        if kernels > 1:
            synchronize(torch, device)
        return (time.perf_counter() - began) / calls / kernels

    return block


BENCHMARK = Benchmark(
    name="launch",
    label="Kernel launch",
    help="The host's time per kernel launch: alone, with a wait for the device, and replayed from a CUDA graph.",
    requires=("torch",),
    parameters=(RIGOROUS, Parameter.time_limit(10.0, "Total measuring time.")),
    run=run,
)
