"""What one types in a notebook: thin; parse, call, show. Nothing heavy loads before first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext jupyter_gpuperf``."""
    from jupyter_gpuperf.client import holding_here
    from jupyter_gpuperf.magics import amp_profile, gpubench, gpudoctor, gpurecord, gpuwatch

    gpubench.register(ipython)
    gpudoctor.register(ipython)
    gpurecord.register(ipython)
    gpuwatch.register(ipython)
    amp_profile.register(ipython)
    holding_here.tell_server_where_needed()
