"""The public functions, as ``gpuperf.bench`` and the like. Nothing heavy loads before first use."""

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

    It runs on this kernel's Jupyter server where there is one, else in a worker process of its own; with a
    ``subject``, right here.

    Parameters
    ----------
    name
        The benchmark, as ``%gpubench`` lists it.
    subject
        What to measure instead of the benchmark's own: for ``dataloader`` a DataLoader or a data set.
    device
        UUID or index of the device; without it the first.
    local
        Run it here even where there is a server.
    parameters
        The benchmark's own; what is left out has its default.

    Raises
    ------
    BenchmarkError
        It was refused, or failed; with ``code``, ``message`` and ``hint``.
    """
    from jupyter_gpuperf.client.in_process import run_on_object
    from jupyter_gpuperf.client.running import run_benchmark
    from jupyter_gpuperf.display.progress import view_here

    if subject is not None:
        called = type(subject).__name__
        return run_on_object(name, subject, called, parameters, new_view=view_here)
    return run_benchmark(name, parameters, device=device, local=local, new_view=view_here)


def watch(loader: T) -> T:
    """Time a loader's steps and tell this kernel's server, which shows them in the panel.

    A torch DataLoader is returned as it is; another iterable in a shell that behaves like it. ``%gpuwatch on`` watches
    every torch DataLoader at once.

    Raises
    ------
    BadRequest
        ``not_a_loader``: it can't be iterated.
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
    """Find the cheapest settings of a DataLoader that are fast enough, by measuring them here.

    Your loader, its iterator, sampler and generators are not touched: new loaders are made like it.

    Parameters
    ----------
    loader_or_dataset
        A torch DataLoader, something that wraps one, or a data set.
    batch_size
        In the place of the loader's own.
    step
        Your training step, a function of a batch. It really runs; what it changed is put back.
    target_rate
        Batches a second that your training takes, in the place of a step. With neither, the fastest loader wins.
    budget_seconds
        Time for all of it.
    kept
        Measure nothing: return what was found before for this data set on this machine.

    Raises
    ------
    BenchmarkError
        It was refused, or no item came; with ``code``, ``message`` and ``hint``.
    """
    from jupyter_gpuperf.client.in_process_tuning import tune_in_process
    from jupyter_gpuperf.client.watch_session import name_in_notebook
    from jupyter_gpuperf.display.progress import view_here

    return tune_in_process(
        loader_or_dataset,
        name_in_notebook(loader_or_dataset) or "loader",
        new_view=view_here,
        batch_size=batch_size,
        step=step,
        target_rate=target_rate,
        budget_seconds=budget_seconds,
        kept=kept,
    )
