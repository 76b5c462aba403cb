"""The notebook's magics. Each only parses its line, calls a function and shows the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext jupyter_gpuperf``."""
    from jupyter_gpuperf.magics import (
        amp_profile,
        gpubench,
        gpudoctor,
        gpumem,
        gpuperf,
        gpurecord,
        gpuwatch,
        speedup,
    )
    from jupyter_gpuperf.processes.pid_namespace import is_nested

    for magic in (gpuperf, gpubench, gpudoctor, gpumem, gpurecord, gpuwatch, amp_profile, speedup):
        magic.register(ipython)
    if is_nested():  # the driver reports host pids: only the kernel knows its memory
        from jupyter_gpuperf.kernel_link.memory_reporter import start_memory_reporter

        start_memory_reporter()
