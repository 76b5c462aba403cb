"""What can be measured on demand. A new benchmark is one file here and its entry in the tuple.

Other packages add theirs through the entry point group ``jupyter_gpuperf.benchmarks``. Standard
library only at module level: workers in foreign environments import this.
"""

from __future__ import annotations

from jupyter_gpuperf.benchmarks.allreduce import BENCHMARK as ALLREDUCE
from jupyter_gpuperf.benchmarks.amp import BENCHMARK as AMP
from jupyter_gpuperf.benchmarks.bandwidth import BENCHMARK as BANDWIDTH
from jupyter_gpuperf.benchmarks.blas import BENCHMARK as BLAS
from jupyter_gpuperf.benchmarks.compile import BENCHMARK as COMPILE
from jupyter_gpuperf.benchmarks.compute import BENCHMARK as COMPUTE
from jupyter_gpuperf.benchmarks.cudnn import BENCHMARK as CUDNN
from jupyter_gpuperf.benchmarks.dataloader import BENCHMARK as DATALOADER
from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Parameter, Scalar
from jupyter_gpuperf.benchmarks.imread import BENCHMARK as IMREAD
from jupyter_gpuperf.benchmarks.io import BENCHMARK as IO
from jupyter_gpuperf.benchmarks.launch import BENCHMARK as LAUNCH
from jupyter_gpuperf.benchmarks.matmul import BENCHMARK as MATMUL
from jupyter_gpuperf.benchmarks.pandas import BENCHMARK as PANDAS
from jupyter_gpuperf.benchmarks.startup import BENCHMARK as STARTUP
from jupyter_gpuperf.benchmarks.train import BENCHMARK as TRAIN
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.plugins import with_additions

__all__ = ["BENCHMARKS", "Benchmark", "Context", "Parameter", "Scalar", "all_benchmarks", "find"]

BENCHMARKS: tuple[Benchmark, ...] = (
    DATALOADER,
    COMPUTE,
    MATMUL,
    BANDWIDTH,
    LAUNCH,
    TRAIN,
    AMP,
    COMPILE,
    CUDNN,
    ALLREDUCE,
    IMREAD,
    IO,
    BLAS,
    PANDAS,
    STARTUP,
)
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
        raise NotFound(
            "unknown_benchmark",
            f"There is no benchmark {name!r}.",
            f"There are: {', '.join(benchmarks)}.",
        )
    return benchmarks[name]
