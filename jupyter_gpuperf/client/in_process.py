"""Measure an object of the notebook in the notebook's own process.

The data is in this process. A worker would need it pickled, and objects defined in a notebook often can't be.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from jupyter_gpuperf.benchmarks import Context, find
from jupyter_gpuperf.client.in_process_progress import in_process_job
from jupyter_gpuperf.display.history_view import held_against_baseline
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound
from jupyter_gpuperf.jobs.run_hooks import keep_result
from jupyter_gpuperf.schemas import BenchmarkResult

ALWAYS: Final = ("rigorous", "time_limit_seconds")
"""Parameters for the measuring time. All others are taken from the object unless they were given."""


def named_object(expression: str, namespace: Mapping[str, Any]) -> object:
    """Return the object that a name in the notebook refers to: ``train_loader``, or ``data.train_loader``.

    Raises
    ------
    BadRequest
        ``usage``: the expression is not a name.
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
        hint = "Bind it to a name first, and give that."
        raise BadRequest("usage", f"{expression} is not a name.", hint)
    try:
        return functools.reduce(getattr, reversed(names), namespace[found.id])
    except (KeyError, AttributeError):
        message = f"There is no {expression} in this notebook."
        hint = "Run the cell that makes it, or check how it is spelt."
        raise NotFound("unknown_name", message, hint) from None


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
    """Measure ``subject`` in this process; failures become a :class:`BenchmarkError`.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        The request was refused, or the object raised an exception.
    """
    benchmark = find(benchmark_name)
    measure = benchmark.run_on
    if measure is None:
        hint = f"Leave the object out; see %gpubench {benchmark.name} --help."
        raise BadRequest("usage", f"{benchmark.name} measures nothing of a notebook's.", hint)
    checked = benchmark.check(given)
    parameters = {each: checked[each] for each in checked if each in (*given, *ALWAYS)}
    with in_process_job(benchmark.name, new_view(), display_result=display_result) as job:
        warnings: list[str] = []
        context = Context(progress=job.say, warn=warnings.append)
        with _as_the_objects(name):
            measured = measure(subject, name, parameters, context)
        content = {"limits": {}, **measured, "benchmark": benchmark.name, "warnings": warnings}
        finished = keep_result(msgspec.convert(content, BenchmarkResult))
        job.final = result = Result(finished.result, number=finished.number)
        if baseline:
            job.final = result = held_against_baseline(result)
    return result


@contextmanager
def _as_the_objects(name: str) -> Iterator[None]:
    """Report any exception of the user's own code as ``object_failed``."""
    try:
        yield
    except GpuPerfError:
        raise
    except Exception as error:
        message = f"{name} raised {type(error).__name__}: {error}"
        hint = "Take a batch from it in a cell of its own to see where."
        raise GpuPerfError("object_failed", message, hint) from error
