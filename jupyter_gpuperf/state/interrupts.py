"""Delay an interrupt while state is being restored."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay an interrupt until the body is done: a half-restored state would be the worst outcome.

    Does nothing outside the main thread, which alone gets interrupts.
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
    if waiting:  # pass it to an outer handler, which may delay it too
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def run_afterwards(action: Callable[[], object]) -> Iterator[None]:
    """Call ``action`` once after the body, even if it raises, and even if a second interrupt follows the first."""
    done = False

    def run_once() -> None:
        nonlocal done
        with uninterrupted():
            if not done:
                action()
                done = True

    try:
        try:
            yield
        finally:
            run_once()
    except KeyboardInterrupt:  # perhaps another one, just before interrupts were delayed
        run_once()
        raise
