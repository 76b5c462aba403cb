"""Describe the benchmarks to clients."""

from __future__ import annotations

import msgspec

from jupyter_gpuperf.schemas import BenchmarkInfo, Benchmarks


def list_benchmarks() -> Benchmarks:
    """Return all benchmarks of this environment. Don't call this on an event loop: it imports them."""
    from jupyter_gpuperf.benchmarks import all_benchmarks

    infos = msgspec.convert(all_benchmarks(), list[BenchmarkInfo], from_attributes=True)
    return Benchmarks(benchmarks=infos)
