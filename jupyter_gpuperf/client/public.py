"""The public functions, ``gpuperf.bench`` and the like. Heavy modules are imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_gpuperf.display.result import Result
    from jupyter_gpuperf.display.tuning_view import TuningView
    from jupyter_gpuperf.schemas import Scalar

T = TypeVar("T")


def bench(
    name: str,
    subject: object = None,
    *,
    device: str | None = None,
    local: bool = False,
    **parameters: Scalar,
) -> Result:
    """Run a benchmark and return its result.

    The worker process is started by this kernel's Jupyter server, or by this process if there is none. A ``subject``
    is measured in this process.

    Parameters
    ----------
    name
        The benchmark, as listed by ``%gpubench``.
    subject
        An object to measure instead of the benchmark's own data: for ``dataloader``, a DataLoader or a dataset.
    device
        UUID or index of the device; the first one by default.
    local
        Run it in a worker started by this process, even if there is a server.
    parameters
        The benchmark's parameters; those omitted have their defaults.

    Raises
    ------
    BenchmarkError
        The request was refused, or the benchmark failed; with ``code``, ``message`` and ``hint``.
    """
    from jupyter_gpuperf.client.in_process import run_on_object
    from jupyter_gpuperf.client.running import run_benchmark
    from jupyter_gpuperf.display.progress import best_view

    if subject is not None:
        called = type(subject).__name__
        return run_on_object(name, subject, called, parameters, new_view=best_view)
    return run_benchmark(name, parameters, device=device, local=local, new_view=best_view)


def watch(loader: T) -> T:
    """Time a loader's steps and report them to this kernel's server, which shows them in the panel.

    A torch DataLoader is returned unchanged, any other iterable in a wrapper that behaves like it. ``%gpuwatch on``
    watches all training loops at once.

    Raises
    ------
    BadRequest
        ``not_a_loader``: the object is not iterable.
    """
    from jupyter_gpuperf.client.watch_session import session

    watched = session().watching.watch(loader)
    session().report()
    return watched


def tune(
    loader_or_dataset: object,
    *,
    batch_size: int | None = None,
    step: Callable[[Any], object] | None = None,
    target_rate: float | None = None,
    budget_seconds: float = 60.0,
    kept: bool = False,
) -> TuningView:
    """Measure DataLoader settings in this process, and return the cheapest ones that are fast enough.

    Your loader, its iterator, sampler and generators are not touched: new loaders are created from its arguments.

    Parameters
    ----------
    loader_or_dataset
        A torch DataLoader, an object that wraps one, or a dataset.
    batch_size
        Replaces the loader's own batch size.
    step
        Your training step, a function of a batch. It really runs; what it changed is restored.
    target_rate
        Batches per second that your training needs, instead of a step. With neither, the fastest loader wins.
    budget_seconds
        Time for the whole tuning.
    kept
        Measure nothing: return the earlier result for this dataset on this machine.

    Raises
    ------
    BenchmarkError
        The request was refused, or the loader yielded no item; with ``code``, ``message`` and ``hint``.
    """
    from jupyter_gpuperf.client.in_process_tuning import tune_in_process
    from jupyter_gpuperf.client.watch_session import name_in_notebook
    from jupyter_gpuperf.display.progress import best_view

    return tune_in_process(
        loader_or_dataset,
        name_in_notebook(loader_or_dataset) or "loader",
        new_view=best_view,
        batch_size=batch_size,
        step=step,
        target_rate=target_rate,
        budget_seconds=budget_seconds,
        kept=kept,
    )
