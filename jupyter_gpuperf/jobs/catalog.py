"""How a benchmark is described on the wire."""

from __future__ import annotations

from jupyter_gpuperf.benchmarks import Benchmark, Parameter
from jupyter_gpuperf.schemas import BenchmarkInfo, ParameterInfo


def info_of(benchmark: Benchmark) -> BenchmarkInfo:
    """Return what ``GET benchmarks`` says of ``benchmark``."""
    return BenchmarkInfo(
        name=benchmark.name,
        label=benchmark.label,
        help=benchmark.help,
        requires=list(benchmark.requires),
        parameters=[_parameter(each) for each in benchmark.parameters],
    )


def _parameter(parameter: Parameter) -> ParameterInfo:
    return ParameterInfo(
        name=parameter.name,
        type=parameter.type,
        default=parameter.default,
        minimum=parameter.minimum,
        maximum=parameter.maximum,
        choices=list(parameter.choices),
        help=parameter.help,
    )
