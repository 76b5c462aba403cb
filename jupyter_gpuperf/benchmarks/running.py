"""Run a request and report its result; used by the worker. Standard library only."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jupyter_gpuperf.benchmarks import Benchmark, Context, find
from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.messages import Message, with_messages

logger = logging.getLogger(__name__)

Say = Callable[[dict[str, Any]], None]


def run_request(request: Mapping[str, Any], say: Say) -> None:
    """Run ``{"benchmark", "parameters"}``; report progress, and finally a result or an error."""
    say = partial(_say_with_messages, say)
    try:
        benchmark = find(request["benchmark"])
        parameters = benchmark.check(request["parameters"])
        say({"type": "result", "result": _run(benchmark, parameters, say)})
    except GpuPerfError as error:
        say({"type": "error", **error.to_dict()})
    except Exception as error:  # the worker's top level: report any error of a benchmark
        logger.exception("The benchmark failed.")
        say({"type": "error", **_failed(error).to_dict()})


def _say_with_messages(say: Say, told: dict[str, Any]) -> None:
    say(with_messages(told))


def _run(benchmark: Benchmark, parameters: Mapping[str, Any], say: Say) -> dict[str, Any]:
    warnings: list[str] = []
    _check_packages(benchmark)
    context = Context(
        progress=lambda ratio, message: say(
            {"type": "progress", "ratio": min(max(ratio, 0.0), 1.0), "message": message}
        ),
        warn=lambda sentence: None if sentence in warnings else warnings.append(sentence),
    )
    request = {"benchmark": benchmark.name, "parameters": dict(parameters), "limits": {}}
    return {**request, **benchmark.run(parameters, context), "warnings": warnings}


def _check_packages(benchmark: Benchmark) -> None:
    for package in benchmark.requires:
        if importlib.util.find_spec(package) is None:
            message = Message(
                "{name} needs {package}, which {executable} doesn't have.",
                name=benchmark.name,
                package=package,
                executable=sys.executable,
            )
            hint = Message(
                "Run: {executable} -m pip install {package}, or choose another kernel.",
                executable=sys.executable,
                package=package,
            )
            raise Unavailable("package_missing", message, hint)


def _failed(error: Exception) -> GpuPerfError:
    if type(error).__name__ == "OutOfMemoryError":  # torch's, by name: torch may not be installed
        return _out_of_memory(Message("Memory of the GPU"))
    # torch has no exception type of its own for running out of CPU memory.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return _out_of_memory(Message("Memory of this machine"))
    return GpuPerfError(
        "benchmark_failed",
        f"{type(error).__name__}: {error}",
        "The end of the log, below, shows where.",
        name=type(error).__name__,
        error=error,
    )


def _out_of_memory(what: str) -> GpuPerfError:
    return GpuPerfError(
        "out_of_memory",
        "{what} ran out.",
        "Ask for a smaller batch or fewer items, or free what other processes hold.",
        what=what,
    )
