"""Keep torch and the garbage collector from running the user's code in a thread that searches."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final


class _Search:
    """The search that runs now, of one thread at a time: the references of one would mislead another."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._collects = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def begin(self) -> None:
        """Disable the collector, and remember whether it was enabled."""
        self._collects = gc.isenabled()
        gc.disable()

    def end(self) -> None:
        """Enable the collector, if it was."""
        if self._collects:
            gc.enable()
        self._collects = False

    def _in_child(self) -> None:
        """In a process that was forked beside a search, such as a DataLoader's worker, nobody would end it."""
        self.lock = threading.Lock()
        self.end()


_search: Final = _Search()


@contextmanager
def undisturbed(torch: Any) -> Iterator[None]:
    """Keep torch from calling ``__torch_function__``, and the collector from running the user's finalizers meanwhile."""
    with _search.lock:
        _search.begin()
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            _search.end()


def rest_and_collect(seconds: float) -> None:
    """Sleep during a search. Others may collect their garbage meanwhile: it can be large."""
    _search.end()
    time.sleep(seconds)
    _search.begin()
