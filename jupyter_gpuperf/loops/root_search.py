"""Find the module that a loop calls, by looking at the stack of its thread now and then from another thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.followed_step import root_found

LOOKS: Final = 10
"""Number of looks at a stack per call: a forward pass takes about a third of a step."""
BETWEEN_SECONDS: Final = 0.003
COMPILED: Final = "torch._dynamo.eval_frame"
"""The module whose frames surround compiled code. Hooks on a module that is called there would have it compiled again."""


def find_roots(given: BatchCounter, torch: Any) -> None:
    """Look for the root modules of threads whose loops have none yet. This takes up to ``LOOKS * BETWEEN_SECONDS``."""
    call = getattr(getattr(getattr(torch, "nn", None), "Module", None), "_call_impl", None)
    code = getattr(call, "__code__", None)
    for _ in range(LOOKS if code is not None else 0):
        rootless = [thread for thread, root in list(given.roots.items()) if root is None]
        if not rootless:
            return
        frames = sys._current_frames()
        for thread in rootless:
            frame = frames.get(thread)
            module = None if frame is None else _outermost(frame, code)
            if module is not None:
                root_found(given, thread, module)
        del frames
        time.sleep(BETWEEN_SECONDS)


def _outermost(frame: FrameType, code: Any) -> Any:
    """Return the outermost module that is being called; ``None`` if there is none that can have hooks."""
    found = None
    for each in _outwards(frame):
        if each.f_code is code:
            found = each.f_locals.get("self")
        elif _surrounds_compiled_code(each):
            found = None
    return None if getattr(found, "_compiled_call_impl", None) is not None else found


def _surrounds_compiled_code(frame: FrameType) -> bool:
    # The call of a compiled module itself is outside of compiled code.
    is_dynamos = frame.f_globals.get("__name__") == COMPILED
    return is_dynamos and frame.f_code.co_name != "__call__"


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
