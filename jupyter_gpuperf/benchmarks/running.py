"""Run a requested benchmark and report its result; used by the worker process. Standard library only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gpuperf.benchmarks import Benchmark, Context, find
from jupyter_gpuperf.errors import GpuPerfError, require_package
from jupyter_gpuperf.messages import with_messages

logger = logging.getLogger(__name__)

SendMessage = Callable[[dict[str, Any]], None]


def run_request(request: Mapping[str, Any], send: SendMessage) -> None:
    """Run ``request["benchmark"]`` with ``request["parameters"]``. Sends progress, then a result or an error."""
    try:
        benchmark = find(request["benchmark"])
        result = _run(benchmark, benchmark.check(request["parameters"]), send)
        send(with_messages({"type": "result", "result": result}))
    except GpuPerfError as error:
        send({"type": "error", **error.to_dict()})
    except Exception as error:  # the worker's top level: any error is reported
        logger.exception("The benchmark failed.")
        send({"type": "error", **_to_error(error).to_dict()})


def _run(benchmark: Benchmark, parameters: Mapping[str, Any], send: SendMessage) -> dict[str, Any]:
    warnings: list[str] = []
    for package in benchmark.requires:
        require_package(package, benchmark.name)

    def progress(ratio: float, message: str) -> None:
        report = {"type": "progress", "ratio": min(max(ratio, 0.0), 1.0), "message": message}
        send(with_messages(report))

    context = Context(
        progress=progress,
        warn=lambda sentence: None if sentence in warnings else warnings.append(sentence),
    )
    request = {"benchmark": benchmark.name, "parameters": dict(parameters), "limits": {}}
    return {**request, **benchmark.run(parameters, context), "warnings": warnings}


def _to_error(error: Exception) -> GpuPerfError:
    if type(error).__name__ == "OutOfMemoryError":  # by name: torch may be missing
        message = "The GPU ran out of memory."
    # torch has no exception type of its own for running out of CPU memory.
    elif isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        message = "The host ran out of memory."
    else:
        hint = "The end of the log below shows where."
        return GpuPerfError("benchmark_failed", f"{type(error).__name__}: {error}", hint)
    hint = "Choose a smaller batch or fewer items, or free memory held by other processes."
    return GpuPerfError("out_of_memory", message, hint)
