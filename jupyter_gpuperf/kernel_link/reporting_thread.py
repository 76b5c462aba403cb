"""Base class for threads of a kernel that periodically report to the server."""

from __future__ import annotations

import contextlib
import threading

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.links import Links


class ReportingThread(threading.Thread):
    """Calls :meth:`report_once` periodically until the thread is stopped or the process ends, then disconnects.

    A dead, stopped or slow server delays only this thread.
    """

    def __init__(self, name: str, link: ServerLink | Links, interval_seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self.link = link
        self._interval_seconds = interval_seconds
        self._stopping = False
        self._wake = threading.Event()

    def report_once(self) -> None:
        """Report to the server; subclasses implement this."""
        raise NotImplementedError

    def run(self) -> None:
        """Call :meth:`report_once` periodically, and once more at the end."""
        stopping = False
        while not stopping:
            stopping = self._stopping
            # Errors of torch or the socket must not reach the notebook.
            with contextlib.suppress(Exception):
                self.report_once()
            if not stopping:
                self._wake.wait(self._interval_seconds)
                self._wake.clear()
        self.link.close()

    def wake(self) -> None:
        """Call :meth:`report_once` soon, in the thread."""
        self._wake.set()

    def stop(self, patience_seconds: float = 0.5) -> None:
        """Call :meth:`report_once` once more and end the thread; wait at most ``patience_seconds`` for that."""
        self._stopping = True
        self._wake.set()
        self.join(patience_seconds)
