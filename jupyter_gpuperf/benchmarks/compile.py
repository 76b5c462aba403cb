"""Benchmark of torch.compile: time to compile cold, time to compile from its cache, and step time.

Three figures that are often confused: the first step of a fresh process with an empty cache, the first step with a
filled cache, and the steady state. The step is that of ``amp``, eager and compiled in turn.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import (
    NETWORKS,
    TrainingStep,
    check_precision,
    fitting_size,
)
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.measure.device import PRECISIONS, first_device, synchronize
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import exactly, inverse, median_interval
from jupyter_gpuperf.measure.timer import warm_block

CACHE_VARIABLE: Final = "TORCHINDUCTOR_CACHE_DIR"


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure compile times and step times; see the module docstring."""
    with own_cache():
        return _run(parameters, context)


@contextlib.contextmanager
def own_cache() -> Iterator[None]:
    """Give torch.compile an empty temporary cache. A cold compile is then cold, and the user's cache does not grow."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory(
        prefix="gpuperf-compile-", ignore_cleanup_errors=True
    ) as folder:
        os.environ[CACHE_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[CACHE_VARIABLE]
            if before is not None:
                os.environ[CACHE_VARIABLE] = before


def _run(parameters: Mapping[str, Any], context: Context) -> Measured:
    import torch

    device = first_device(torch)
    check_compiler(torch, device)
    network, precision = parameters["network"], parameters["precision"]
    check_precision(torch, device, precision)
    if device.type == "cpu":
        context.warn(
            "This torch sees no CUDA device: a smaller step was measured on the processor."
        )
    # Two steps: the eager and the compiled one exist side by side.
    size = fitting_size(torch, device, network, [precision] * 2, context.warn)
    context.progress(0.05, "Compiling, with an empty cache")
    make = functools.partial(
        TrainingStep, torch, device, network=network, size=size, precision=precision
    )
    compiled, cold_seconds, counted = _compile(torch, device, make)
    context.progress(0.4, "Compiling again, from the cache")
    _, warm_seconds, _ = _compile(torch, device, make)
    steps = (("eager", make()), ("compiled", compiled))
    blocks = {name: warm_block(step, device) for name, step in steps}
    found = Stopwatch(parameters, context.span(0.6, 1.0)).in_turn(blocks)
    figures: dict[str, Any] = {
        "compile_cold_seconds": exactly(cold_seconds),
        "compile_warm_seconds": exactly(warm_seconds),
        **{f"{name}_step_seconds": found.median(name) for name in blocks},
        "compiled_speedup": found.speedup("compiled", "eager"),
    }
    break_even = _break_even(found.samples["eager"], found.samples["compiled"], cold_seconds)
    if break_even:
        figures["break_even_steps"] = break_even
    samples = {
        "compile_cold_seconds": [cold_seconds],
        "compile_warm_seconds": [warm_seconds],
        **{f"{name}_step_seconds": values for name, values in found.samples.items()},
    }
    environment = {**describe(torch, device), "measured_batch_size": size.batch, **counted}
    # The unit of the one figure whose name carries none: break_even_steps.
    return Measured(unit="steps", figures=figures, samples=samples, environment=environment)


def _compile(
    torch: Any, device: Any, make: Callable[..., TrainingStep]
) -> tuple[TrainingStep, float, dict[str, int]]:
    """Return a compiled step, the seconds of its first call, and its numbers of graphs and graph breaks."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    step = make(compiled=True)
    began = time.perf_counter()
    step()
    synchronize(torch, device)
    seconds = time.perf_counter() - began
    graphs = int(counters["stats"].get("unique_graphs", 0))
    breaks = sum(counters["graph_break"].values())
    return step, seconds, {"graphs": graphs, "graph_breaks": breaks}


def _break_even(
    eager: Sequence[float], compiled: Sequence[float], cold_seconds: float
) -> dict[str, float] | None:
    """Return after how many steps compiling has paid off; ``None`` if it may never.

    ``eager`` and ``compiled`` are seconds per step of the same rounds.
    """
    saved = median_interval([before - after for before, after in zip(eager, compiled, strict=True)])
    return inverse(saved, cold_seconds) if saved["low"] > 0 else None


BENCHMARK = Benchmark(
    name="compile",
    label="torch.compile",
    help="A training step eager and compiled, in turn: speed-up, seconds to compile with an empty cache "
    "and from it, graphs and breaks.",
    requires=("torch",),
    parameters=(
        Parameter.choice("network", "resnet", NETWORKS, "Which network to train."),
        Parameter.choice(
            "precision",
            "bf16",
            PRECISIONS,
            "fp32 means IEEE, without TF32; bf16 and fp16 by autocast outside of what is compiled.",
        ),
        RIGOROUS,
        Parameter.time_limit(
            20.0,
            "Stop measuring the steps after this time, converged or not; compiling comes before.",
        ),
    ),
    run=run,
)
