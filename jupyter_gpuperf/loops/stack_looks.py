"""Look at the stacks of loops' threads now and then, from another thread: what module is called, and where time is spent."""

from __future__ import annotations

import contextlib
import random
import time
from types import FrameType
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter, LoopStack
from jupyter_gpuperf.loops.followed_step import root_found
from jupyter_gpuperf.loops.host_lines import outwards
from jupyter_gpuperf.measure.stacks import current_frames

LOOKS: Final = 6
"""Number of looks per call. A forward pass takes about a third of a step, so the module is found in a few calls."""
BETWEEN_SECONDS: Final = 0.01
"""Mean time between two looks. It varies, since steps may be as long."""
LEFT_SECONDS: Final = 0.3
"""A loop without a step for this time and three of its steps was left; its thread is doing something else."""
COMPILED: Final = "torch._dynamo.eval_frame"
"""The module whose frames surround compiled code. Hooks on a module that is called there would have it compiled again."""


def look_at_loops(given: BatchCounter, torch: Any) -> None:
    """Look at each loop's stack some times, in about ``LOOKS * BETWEEN_SECONDS``; find the modules that they call."""
    call = getattr(getattr(getattr(torch, "nn", None), "Module", None), "_call_impl", None)
    code = getattr(call, "__code__", None)
    for _ in range(LOOKS):
        stacks = list(given.stacks.items())
        if not stacks:
            return
        frames = current_frames()
        for thread, stack in stacks:
            frame = frames.get(thread)
            if frame is not None and not _was_left(stack):
                stack.phases.lines.add(frame, stack.codes)
                call = _outermost(frame, code) if thread in given.roots else None
                if call is not None:
                    _take(given, thread, stack, call)
        del frames
        time.sleep(BETWEEN_SECONDS * random.uniform(0.5, 1.5))


def _take(given: BatchCounter, thread: int, stack: LoopStack, call: FrameType) -> None:
    values = call.f_locals
    module = values.get("self")
    if not _has_parameters(module):
        return  # a loss, or an augmentation
    if given.roots.get(thread) is None:  # a forward pass is awaited, by this loop
        root_found(given, thread, module)
    root = given.roots.get(thread)
    if root is not None:
        loop = id(stack.phases)
        root.seen(loop, module, values.get("args", ()), values.get("kwargs", {}))


def _has_parameters(module: Any) -> bool:
    with contextlib.suppress(Exception):  # no module at all, or it changes meanwhile
        return next(module.parameters(), None) is not None
    return False


def _was_left(stack: LoopStack) -> bool:
    patience_seconds = LEFT_SECONDS + 3 * stack.phases.last_seconds
    return time.perf_counter() - stack.when_seconds > patience_seconds


def _outermost(frame: FrameType, code: Any) -> FrameType | None:
    """Return the call of the outermost module; ``None`` if there is none that can have hooks."""
    found = None
    for each in outwards(frame):
        if each.f_code is code:
            found = each
        elif _surrounds_compiled_code(each):
            found = None
    module = None if found is None else found.f_locals.get("self")
    return None if getattr(module, "_compiled_call_impl", None) is not None else found


def _surrounds_compiled_code(frame: FrameType) -> bool:
    # The call of a compiled module itself is outside of compiled code.
    is_dynamos = frame.f_globals.get("__name__") == COMPILED
    return is_dynamos and frame.f_code.co_name != "__call__"
