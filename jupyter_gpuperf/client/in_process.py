"""Measures an object of the notebook right here, in the notebook's own process.

The data lies here; handing it to a worker would mean to pickle it, and what a notebook defines often can't be.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from jupyter_gpuperf.benchmarks import Benchmark, Context, find
from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.client.in_process_progress import Cancelled, ProgressHere
from jupyter_gpuperf.client.running import held_against_the_baseline
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound
from jupyter_gpuperf.schemas import BenchmarkResult

ALWAYS: Final = ("rigorous", "time_limit_seconds")
"""Parameters on how long to measure; all others are as the object has them unless they were given."""


def named_object(expression: str, namespace: Mapping[str, Any]) -> object:
    """Return what a name of the notebook stands for: ``train_loader``, or ``data.train_loader``.

    Raises
    ------
    BadRequest
        ``usage``: it is no name.
    NotFound
        ``unknown_name``.
    """
    try:
        found = ast.parse(expression, mode="eval").body
    except SyntaxError:
        found = ast.Constant(None)
    names: list[str] = []
    while isinstance(found, ast.Attribute):
        names.append(found.attr)
        found = found.value
    if not isinstance(found, ast.Name):
        raise BadRequest(
            "usage",
            f"{expression} is not a name.",
            "Bind it to a name first, and give that.",
        )
    try:
        value = namespace[found.id]
        for name in reversed(names):
            value = getattr(value, name)
    except (KeyError, AttributeError):
        raise NotFound(
            "unknown_name",
            f"There is no {expression} in this notebook.",
            "Run the cell that makes it, or check how it is spelt.",
        ) from None
    return value


def run_on_object(
    benchmark_name: str,
    subject: object,
    name: str,
    given: Mapping[str, Any],
    *,
    new_view: Callable[[], View],
    display_result: bool = False,
    baseline: bool = False,
) -> Result:
    """Measure ``subject`` here; what goes wrong becomes a :class:`BenchmarkError`.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        It was refused, or the object raised something.
    """
    benchmark = find(benchmark_name)
    parameters = _checked(benchmark, given)
    final: Result | None = None
    view = new_view()
    progress = ProgressHere(benchmark.name, view)
    try:
        final = _run(benchmark, subject, name, parameters, progress)
        if baseline:
            final = held_against_the_baseline(final)
    except (KeyboardInterrupt, Cancelled):
        raise BenchmarkCancelled(benchmark.name) from None
    except GpuPerfError as error:
        raise BenchmarkError.of(error) from None
    finally:
        view.end(final if display_result else None, progress.last_words(final is not None))
    return final


def _checked(benchmark: Benchmark, given: Mapping[str, Any]) -> dict[str, Any]:
    if benchmark.run_on is None:
        raise BadRequest(
            "usage",
            f"{benchmark.name} measures nothing of a notebook's.",
            f"Leave the object out; see %gpubench {benchmark.name} --help.",
        )
    checked = benchmark.check(given)
    return {name: value for name, value in checked.items() if name in given or name in ALWAYS}


def _run(
    benchmark: Benchmark,
    subject: object,
    name: str,
    parameters: Mapping[str, Any],
    progress: ProgressHere,
) -> Result:
    from jupyter_gpuperf.jobs.run_hooks import Around
    from jupyter_gpuperf.results.store import ResultStore, default_path

    assert benchmark.run_on is not None
    warnings: list[str] = []
    context = Context(progress=progress.say, warn=warnings.append)
    with Around(store=ResultStore(default_path())).run(None) as finish:
        try:
            measured = benchmark.run_on(subject, name, parameters, context)
        except (GpuPerfError, Cancelled):
            raise
        except Exception as error:  # the user's own code: whatever it raises is told
            raise GpuPerfError(
                "object_failed",
                f"{name} raised {type(error).__name__}: {error}",
                "Take a batch from it in a cell of its own to see where.",
            ) from error
        content = {"limits": {}, **measured, "benchmark": benchmark.name, "warnings": warnings}
        finished = finish(msgspec.convert(content, BenchmarkResult))
    return Result(finished.result, number=finished.number)
