"""A thread of the kernel that checks something now and then, and reports it to the server."""

from __future__ import annotations

import contextlib
import threading

from jupyter_gpuperf.kernel_link.link import ServerLink


class ReportingThread(threading.Thread):
    """Calls :meth:`look` until it is stopped or the process ends, then disconnects.

    If the server is dead, stopped or slow, only this thread notices.
    """

    def __init__(self, name: str, link: ServerLink, look_seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self.link = link
        self._look_seconds = look_seconds
        self._stopping = False
        self._wake = threading.Event()

    def look(self) -> None:
        """Check, and report."""
        raise NotImplementedError

    def run(self) -> None:
        """Call :meth:`look` now and then, and once more at the end."""
        stopping = False
        while not stopping:
            stopping = self._stopping
            # Errors of torch or the socket must not reach the notebook.
            with contextlib.suppress(Exception):
                self.look()
            if not stopping:
                self._wake.wait(self._look_seconds)
                self._wake.clear()
        self.link.close()

    def wake(self) -> None:
        """Trigger a look soon."""
        self._wake.set()

    def stop(self, patience_seconds: float = 0.5) -> None:
        """Report what is left, and end; wait at most ``patience_seconds`` for the thread."""
        self._stopping = True
        self._wake.set()
        self.join(patience_seconds)
