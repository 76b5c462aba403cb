"""Notice that nobody needs a command any more: whoever started it closes its standard input, also by being killed."""

from __future__ import annotations

import os
import threading
from typing import Final

BLOCK_BYTES: Final = 4096


def set_at_end_of_input(stop: threading.Event) -> None:
    """Set an event once standard input is closed; returns at once."""
    threading.Thread(target=_wait, args=(stop,), daemon=True).start()


def _wait(stop: threading.Event) -> None:
    # Don't use sys.stdin: if a thread holds its lock at exit, the interpreter aborts.
    while os.read(0, BLOCK_BYTES):
        pass
    stop.set()
