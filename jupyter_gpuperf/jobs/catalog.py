"""How a benchmark is described on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_gpuperf.schemas import BenchmarkInfo, Benchmarks, ParameterInfo

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark, Parameter


def all_infos() -> Benchmarks:
    """Return all benchmarks of this environment; loads them, so not for an event loop."""
    from jupyter_gpuperf.benchmarks import all_benchmarks

    return Benchmarks(benchmarks=[info_of(each) for each in all_benchmarks()])


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
