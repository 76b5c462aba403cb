"""Read the stacks of all threads without the risk of a deadlock."""

from __future__ import annotations

import gc
import sys
from types import FrameType


def current_frames() -> dict[int, FrameType]:
    """Return the newest frame of each thread, by its identifier.

    Python 3.11 and older collect garbage while they list the threads: a finalizer that gives the interpreter to another
    thread, which then starts or ends one, would stop the process for good (gh-106883).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()
