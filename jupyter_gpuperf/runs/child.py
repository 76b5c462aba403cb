"""In a process of a run: watch its loops as soon as it imports torch. Until then, nothing else is imported."""

from __future__ import annotations

from types import ModuleType

from jupyter_gpuperf.import_hook import ImportHook


def watch_with_torch() -> None:
    """Watch all loops of this process once it imports torch."""
    ImportHook("torch", _begin).start()


def _begin(torch: ModuleType) -> None:
    from jupyter_gpuperf.client.watch_session import session
    from jupyter_gpuperf.kernel_link.address import connection_file

    if connection_file() is not None:
        return  # a kernel, of a Jupyter that the run started
    watched = session()
    watched.watching.watch_everything()
    watched.report()
    _describe(torch)


def _describe(torch: ModuleType) -> None:
    """Send the run what its record says of this process's environment."""
    from pathlib import Path

    from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
    from jupyter_gpuperf.kernel_link.run_address import run_of
    from jupyter_gpuperf.measure.environment import describe
    from jupyter_gpuperf.schemas.kernel_link import ScriptStarted

    run = run_of()
    if run is not None:
        link = ServerLink(lambda: Path(run.socket))
        link.send(ScriptStarted(environment=describe(torch)), SEND_SECONDS)
        link.close()
