"""Benchmark of torch.compile: compile time with an empty and with a filled cache, and step time.

Measures three times that are often confused: the first step with an empty cache, the first step with a filled cache,
and later steps. The step is the one of the ``amp`` benchmark; eager and compiled steps alternate.
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
from jupyter_gpuperf.benchmarks.workloads import training
from jupyter_gpuperf.benchmarks.workloads.device import NO_GPU_SMALLER_STEP, device_of
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import TrainingStep, fitting_size
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.measure.device import PRECISIONS, synchronize
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import exact_interval, inverse, median_interval
from jupyter_gpuperf.measure.timer import warmed_up_timer

CACHE_VARIABLE: Final = "TORCHINDUCTOR_CACHE_DIR"


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure compile times and step times; see the module docstring."""
    with empty_compile_cache():
        return _run(parameters, context)


@contextlib.contextmanager
def empty_compile_cache() -> Iterator[None]:
    """Give torch.compile an empty temporary cache: the first compilation is cold, and the user's cache is unchanged."""
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

    device = device_of(torch, context, NO_GPU_SMALLER_STEP)
    check_compiler(torch, device)
    network, precision = parameters["network"], parameters["precision"]
    training.check_precision(torch, device, precision)
    # The eager and the compiled step are in memory at the same time.
    size = fitting_size(torch, device, network, [precision] * 2, context.warn)
    context.progress(0.05, "Compiling with an empty cache")
    make = functools.partial(
        TrainingStep, torch, device, network=network, size=size, precision=precision
    )
    compiled, cold_seconds, counted = _compile(torch, device, make)
    context.progress(0.4, "Compiling again from the cache")
    _, warm_seconds, _ = _compile(torch, device, make)
    steps = {"eager": make(), "compiled": compiled}
    blocks = {name: warmed_up_timer(step, device) for name, step in steps.items()}
    timings = Stopwatch(parameters, context.span(0.6, 1.0)).in_turn(blocks)
    figures: dict[str, Any] = {
        "compile_cold_seconds": exact_interval(cold_seconds),
        "compile_warm_seconds": exact_interval(warm_seconds),
        **timings.figures("step_seconds", "eager"),
    }
    break_even = _break_even(timings.samples["eager"], timings.samples["compiled"], cold_seconds)
    if break_even:
        figures["break_even_steps"] = break_even
    samples = {
        "compile_cold_seconds": [cold_seconds],
        "compile_warm_seconds": [warm_seconds],
        **{f"{name}_step_seconds": values for name, values in timings.samples.items()},
    }
    environment = {**describe(torch, device), "measured_batch_size": size.batch, **counted}
    # This is the unit of break_even_steps; the names of all other figures contain their unit.
    return Measured(unit="steps", figures=figures, samples=samples, environment=environment)


def _compile(
    torch: Any, device: Any, make: Callable[..., TrainingStep]
) -> tuple[TrainingStep, float, dict[str, int]]:
    """Return a compiled step, the seconds of its first call, and the numbers of graphs and graph breaks."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    step = make(compiled=True)
    began = time.perf_counter()
    step()
    synchronize(torch, device)
    seconds = time.perf_counter() - began
    graphs = int(counters["stats"].get("unique_graphs", 0))
    return step, seconds, {"graphs": graphs, "graph_breaks": counters["graph_break"].total()}


def _break_even(
    eager: Sequence[float], compiled: Sequence[float], cold_seconds: float
) -> dict[str, float] | None:
    """Return the number of steps after which compiling pays off; ``None`` if compiled steps are not clearly faster.

    ``eager`` and ``compiled`` are the seconds per step in the same rounds.
    """
    saved = median_interval([before - after for before, after in zip(eager, compiled, strict=True)])
    return inverse(saved, cold_seconds) if saved["low"] > 0 else None


BENCHMARK = Benchmark(
    name="compile",
    label="torch.compile",
    help="A training step, eager and compiled: speedup, compile time with an empty and with a filled cache, "
    "graphs and graph breaks.",
    requires=("torch",),
    parameters=(
        Parameter.choice("network", "resnet", training.NETWORKS, "Network to train."),
        Parameter.choice("precision", "bf16", PRECISIONS, training.PRECISION_HELP),
        RIGOROUS,
        Parameter.time_limit(20.0, "Time for the steps; compilation comes first."),
    ),
    run=run,
)
