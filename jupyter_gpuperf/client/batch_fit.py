"""``gpuperf.fit()``: which batch sizes fit, and from which one on more gains nothing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process_progress import ReportingView, in_process_job
from jupyter_gpuperf.client.watch_session import name_in_notebook, notebook_names, session
from jupyter_gpuperf.display.batch_fit_view import BatchFitView
from jupyter_gpuperf.display.progress import ProgressView, best_view
from jupyter_gpuperf.errors import BadRequest, require_package

JOB_NAME = "fit"


@shortened_errors()
def fit(
    step: Callable[[Any], object],
    loader: Any,
    *,
    state: Sequence[Any] = (),
    budget_seconds: float = 60.0,
    margin_ratio: float = 0.05,
) -> BatchFitView:
    """Run a training step at several batch sizes: peak memory, samples per second, and the largest batch that fits.

    The batches are made from the loader's own items. Running out of memory on the way is expected. Afterwards the
    models, optimizers, tensors, arrays, variables and random states that the step reaches are restored bit for bit;
    files that it writes, and its printed output, are not.

    Parameters
    ----------
    step
        Takes a batch and does everything that the loop does with it.
    loader
        A DataLoader, an object that wraps one, another iterable of batches, or a dataset. It is not changed.
    state
        Objects that the step changes, but that can't be found through its variables.
    budget_seconds
        Time for everything.
    margin_ratio
        The share of the memory that must stay free at the peak of the largest batch.

    Raises
    ------
    BadRequest
        ``no_state_found``: the step reaches no model. ``batch_size_is_fixed``: batches of other sizes can't be made.
        ``no_torch``: torch is not imported.
    GpuPerfError
        ``step_failed``; ``namespace_too_large``, ``snapshot_too_large``: too much state to save.
    Unavailable
        ``nothing_fits``, ``no_time``.
    """
    return run_fit(
        step,
        loader,
        called=(name_of_step(step), name_in_notebook(loader) or "loader"),
        new_view=best_view,
        state=tuple(state),
        budget_seconds=budget_seconds,
        margin_ratio=margin_ratio,
    )


def run_fit(
    step: Callable[[Any], object],
    loader: Any,
    *,
    called: tuple[str, str],
    new_view: Callable[[], ProgressView],
    **request_fields: Any,
) -> BatchFitView:
    """Run :func:`fit` with a view of its progress; ``called`` has the names of step and loader in the notebook."""
    torch = sys.modules.get("torch")
    if torch is None:
        require_package("torch", "fit")
        raise BadRequest("no_torch", "torch is not imported.", "Import it first.")
    if not callable(step):
        message, hint = (
            "A {type} is not a step.",
            "Pass a function that takes a batch: fit(step, loader)",
        )
        raise BadRequest("usage", message, hint, type=type(step).__name__)
    if inspect.isgeneratorfunction(step) or inspect.iscoroutinefunction(step):
        message, hint = (
            "{name}() is a generator or a coroutine: a call of it runs nothing.",
            "Pass a function that does the step when it is called.",
        )
        raise BadRequest("usage", message, hint, name=called[0])
    from jupyter_gpuperf.batch_sizes.fit import FitRequest, fit_batch_size

    request = FitRequest(**request_fields)
    view = ReportingView(new_view(), {"loader": called[1]})
    with (
        in_process_job(JOB_NAME, view, display_result=False) as job,
        session().watching.timing_suspended(),
    ):
        context = Context(progress=job.report_progress, warn=lambda _: None)
        names = notebook_names() or None
        found = fit_batch_size(torch, step, loader, request, context, called=called, names=names)
        job.final = result = BatchFitView(found)
    return result


def name_of_step(step: object) -> str:
    """Return the name of a function, or of an object's class."""
    return getattr(step, "__name__", None) or type(step).__name__
