"""What can be measured on demand. A new benchmark is one file here, imported below, and its module in the tuple.

Other packages add theirs through the entry point group ``jupyter_gpuperf.benchmarks``. Standard
library only at module level: workers in foreign environments import this.
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
"""Every benchmark of this package, in the order in which people see them."""


def all_benchmarks() -> tuple[Benchmark, ...]:
    """Return this package's benchmarks and those of other packages in this environment.

    One that can't be loaded, or that repeats a name, is logged and left out.
    """
    return with_additions(BENCHMARKS, "benchmarks", Benchmark, lambda benchmark: benchmark.name)


def find(name: str) -> Benchmark:
    """Return the benchmark of this name.

    Raises
    ------
    NotFound
        ``unknown_benchmark``.
    """
    benchmarks = {benchmark.name: benchmark for benchmark in all_benchmarks()}
    if name not in benchmarks:
        hint = f"There are: {', '.join(benchmarks)}."
        raise NotFound("unknown_benchmark", f"There is no benchmark {name!r}.", hint)
    return benchmarks[name]
