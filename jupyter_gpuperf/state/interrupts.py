"""Lets an interrupt wait until state is whole again."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt wait until what runs inside is done: half a state would be the worst of all.

    In other threads than the main one there is none to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if waiting:  # for whoever handles it around this: it may wait there, too
        signal.raise_signal(signal.SIGINT)
