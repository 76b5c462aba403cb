"""Measure an object of the notebook in the notebook's own process.

The object lives in this process. A worker would need a pickled copy, and objects defined in a notebook often
can't be pickled.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from jupyter_gpuperf.benchmarks import Context, find
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process_progress import in_process_job
from jupyter_gpuperf.display.history_view import compared_with_baseline
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound, require_package
from jupyter_gpuperf.jobs.run_hooks import store_for_user
from jupyter_gpuperf.results.subject import PRECISION_KEYS
from jupyter_gpuperf.schemas import BenchmarkResult


def named_object(expression: str, namespace: Mapping[str, Any]) -> object:
    """Return the object that a name in the notebook refers to: ``train_loader``, or ``data.train_loader``.

    Raises
    ------
    BadRequest
        ``usage``: the expression is not a name.
    NotFound
        ``unknown_name``: the notebook has no such name.
    """
    try:
        node = ast.parse(expression, mode="eval").body
    except SyntaxError:
        node = ast.Constant(None)
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        hint = "Assign it to a variable first."
        raise BadRequest("usage", "{name} is not a name.", hint, name=expression)
    try:
        return functools.reduce(getattr, reversed(names), namespace[node.id])
    except (KeyError, AttributeError):
        message = "{name} is not defined in this notebook."
        hint = "Run the cell that creates it, or check the name."
        raise NotFound("unknown_name", message, hint, name=expression) from None


@shortened_errors()
def run_on_object(
    benchmark_name: str,
    subject: object,
    name: str,
    given: Mapping[str, Any],
    *,
    new_view: Callable[[], ProgressView],
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
        message, hint = (
            "{benchmark} can't measure an object of the notebook.",
            "See: %gpubench {benchmark} --help",
        )
        raise BadRequest("usage", message, hint, benchmark=benchmark.name)
    for package in benchmark.requires:
        require_package(package, benchmark.name)
    checked = benchmark.check(given)
    # The measuring time comes from the call; other parameters come from the object unless given.
    parameters = {each: checked[each] for each in checked if each in (*given, *PRECISION_KEYS)}
    with in_process_job(benchmark.name, new_view(), display_result=display_result) as job:
        warnings: list[str] = []
        context = Context(progress=job.report_progress, warn=warnings.append)
        with _object_errors(name):
            measured = measure(subject, name, parameters, context)
        content = {"limits": {}, **measured, "benchmark": benchmark.name, "warnings": warnings}
        finished = store_for_user(msgspec.convert(content, BenchmarkResult))
        job.final = result = Result(finished.result, number=finished.number)
        if baseline:
            job.final = result = compared_with_baseline(result)
    return result


@contextmanager
def _object_errors(name: str) -> Iterator[None]:
    """Convert exceptions raised by the user's own code to ``object_failed``."""
    try:
        yield
    except GpuPerfError:
        raise
    except Exception as error:  # the user's own code
        hint = "To see where it fails, take a batch from it in a separate cell."
        message = "{name} raised {error!r}."
        raise GpuPerfError("object_failed", message, hint, name=name, error=error) from error
