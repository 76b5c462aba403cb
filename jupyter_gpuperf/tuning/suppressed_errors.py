"""Suppress torch's errors from interrupted iterators, and from those whose workers were killed."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from typing import Final

COMPLAINING: Final = "DataLoaderIter.__del__"
PINNING: Final = "_pin_memory_loop"
"""Function of the thread that receives batches from workers; the thread's name contains it."""
ENDS: Final = (OSError, EOFError)


@contextlib.contextmanager
def thrown_away_quietly() -> Iterator[None]:
    """Collect such iterators before the context ends, without a traceback in the notebook; report all other errors."""
    unraisable_before, thread_before = sys.unraisablehook, threading.excepthook
    users_threads = set(threading.enumerate())

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        if COMPLAINING not in repr(what.object):
            unraisable_before(what)

    def in_thread(what: threading.ExceptHookArgs) -> None:
        ours = what.thread is not None and what.thread not in users_threads
        # A worker killed while it sends a batch resets the connection.
        if not (ours and PINNING in str(what.thread) and issubclass(what.exc_type, ENDS)):
            thread_before(what)

    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook, threading.excepthook = unraisable_before, thread_before
