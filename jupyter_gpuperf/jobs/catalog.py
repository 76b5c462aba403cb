"""Descriptions of the benchmarks for the wire."""

from __future__ import annotations

import msgspec

from jupyter_gpuperf.schemas import BenchmarkInfo, Benchmarks


def all_infos() -> Benchmarks:
    """Return all benchmarks of this environment. This imports them, so don't call it on an event loop."""
    from jupyter_gpuperf.benchmarks import all_benchmarks

    infos = msgspec.convert(all_benchmarks(), list[BenchmarkInfo], from_attributes=True)
    return Benchmarks(benchmarks=infos)
