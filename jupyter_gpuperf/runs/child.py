"""In a process of a run: watch its loops as soon as it imports torch. Until then, nothing else is imported."""

from __future__ import annotations

import os

from jupyter_gpuperf.import_hook import ImportHook

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from jupyter_gpuperf.kernel_link.run_address import RunAddress


def watch_with_torch() -> None:
    """Watch all loops of this process once it imports torch."""
    environment = dict(os.environ)  # the script may clear its own before that
    ImportHook("torch", lambda torch: _begin(torch, environment)).start()


def _begin(torch: ModuleType, environment: Mapping[str, str]) -> None:
    from jupyter_gpuperf.client.watch_session import session
    from jupyter_gpuperf.kernel_link.address import connection_file
    from jupyter_gpuperf.kernel_link.run_address import run_of

    run = run_of(environment)
    if run is None or connection_file() is not None:
        return  # a kernel, of a Jupyter that the run started
    watched = session(run)
    watched.watching.watch_everything()
    watched.report()
    _describe(torch, run)


def _describe(torch: ModuleType, run: RunAddress) -> None:
    """Send the run, and those around it, what their record says of this process's environment."""
    from functools import partial
    from pathlib import Path

    from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
    from jupyter_gpuperf.kernel_link.links import Links
    from jupyter_gpuperf.measure.environment import describe
    from jupyter_gpuperf.schemas.kernel_link import ScriptStarted

    link = Links([ServerLink(partial(Path, each)) for each in run.sockets])
    link.send(ScriptStarted(environment=describe(torch)), SEND_SECONDS)
    link.close()
