"""Benchmarks that run on demand. To add one, add a file here, import it below, and add it to ``MODULES``.

Other packages add benchmarks through the entry point group ``jupyter_gpuperf.benchmarks``. At module
level, use only the standard library: workers in other Python environments import these modules.
"""

from __future__ import annotations

from jupyter_gpuperf.benchmarks import (
    allreduce,
    amp,
    bandwidth,
    blas,
    compile,
    compute,
    cudnn,
    dataloader,
    imread,
    io,
    launch,
    matmul,
    pandas,
    startup,
    train,
)
from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Parameter, Scalar
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.plugins import with_additions

__all__ = ["BENCHMARKS", "Benchmark", "Context", "Parameter", "Scalar", "all_benchmarks", "find"]

MODULES = (
    *(dataloader, compute, matmul, bandwidth, launch, train, amp, compile, cudnn),
    *(allreduce, imread, io, blas, pandas, startup),
)
BENCHMARKS: tuple[Benchmark, ...] = tuple(module.BENCHMARK for module in MODULES)
"""All benchmarks of this package, in display order."""


def all_benchmarks() -> tuple[Benchmark, ...]:
    """Return the benchmarks of this package and of other packages in this environment.

    If a benchmark can't be loaded, or its name is already taken, this is logged and the benchmark is skipped.
    """
    return with_additions(BENCHMARKS, "benchmarks", Benchmark, lambda benchmark: benchmark.name)


def find(name: str) -> Benchmark:
    """Return the benchmark with this name.

    Raises
    ------
    NotFound
        ``unknown_benchmark``: there is no benchmark with this name.
    """
    benchmarks = {benchmark.name: benchmark for benchmark in all_benchmarks()}
    if name not in benchmarks:
        message, hint = "There is no benchmark {name!r}.", "Available: {known}."
        raise NotFound("unknown_benchmark", message, hint, name=name, known=[*benchmarks])
    return benchmarks[name]
