"""What one types in a notebook: thin; parse, run, show. Nothing heavy loads before first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_gpuperf.magics.result import Result
    from jupyter_gpuperf.schemas import Scalar

T = TypeVar("T")

__all__ = ["bench", "load_ipython_extension", "watch"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext jupyter_gpuperf``."""
    from jupyter_gpuperf.magics import gpubench, gpurecord, gpuwatch, holding_here

    gpubench.register(ipython)
    gpurecord.register(ipython)
    gpuwatch.register(ipython)
    holding_here.tell_server_where_needed()


def bench(
    name: str, *, device: str | None = None, local: bool = False, **parameters: Scalar
) -> Result:
    """Run a benchmark and return its result.

    It runs on this kernel's Jupyter server where there is one, else in a worker process of its own.

    Parameters
    ----------
    name
        The benchmark, as ``%gpubench`` lists it.
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
    from jupyter_gpuperf.magics.progress import view_here
    from jupyter_gpuperf.magics.running import run_benchmark

    return run_benchmark(
        name, parameters, device=device, local=local, new_view=view_here, display_result=False
    )


def watch(loader: T) -> T:
    """Time a loader's steps and tell this kernel's server, which shows them in the panel.

    A torch DataLoader is returned as it is; another iterable in a shell that behaves like it. ``%gpuwatch on`` watches
    every torch DataLoader at once.

    Raises
    ------
    BadRequest
        ``not_a_loader``: it can't be iterated.
    """
    from jupyter_gpuperf.magics.watching_here import session

    watched = session().watching.watch(loader)
    session().tell()
    return watched
