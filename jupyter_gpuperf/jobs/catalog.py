"""Descriptions of the benchmarks for the wire."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from jupyter_gpuperf.schemas import BenchmarkInfo, Benchmarks, ParameterInfo

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark


def all_infos() -> Benchmarks:
    """Return all benchmarks of this environment. This imports them, so don't call it on an event loop."""
    from jupyter_gpuperf.benchmarks import all_benchmarks

    return Benchmarks(benchmarks=[_info(each) for each in all_benchmarks()])


def _info(benchmark: Benchmark) -> BenchmarkInfo:
    parameters = [
        ParameterInfo(**{**asdict(each), "choices": list(each.choices)})
        for each in benchmark.parameters
    ]
    known = {name: getattr(benchmark, name) for name in ("name", "label", "help")}
    return BenchmarkInfo(**known, requires=list(benchmark.requires), parameters=parameters)
