"""What one types in a notebook: thin; parse, run, show. Nothing heavy loads before first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_gpuperf.magics.result import Result
    from jupyter_gpuperf.schemas import Scalar

__all__ = ["bench", "load_ipython_extension"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext jupyter_gpuperf``."""
    from jupyter_gpuperf.magics import amp_profile, gpubench, gpurecord, holding_here

    gpubench.register(ipython)
    gpurecord.register(ipython)
    amp_profile.register(ipython)
    holding_here.tell_server_where_needed()


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
    from jupyter_gpuperf.magics.on_object import run_on_object
    from jupyter_gpuperf.magics.progress import view_here
    from jupyter_gpuperf.magics.running import run_benchmark

    if subject is not None:
        words = type(subject).__name__
        return run_on_object(name, subject, words, parameters, new_view=view_here)
    return run_benchmark(
        name, parameters, device=device, local=local, new_view=view_here, display_result=False
    )
