"""Look at the stacks of loops' threads now and then, from another thread: what module is called, and where time is spent."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter, LoopStack
from jupyter_gpuperf.loops.followed_step import root_found
from jupyter_gpuperf.loops.module_calls import ModuleCall, TorchCodes, outermost_call
from jupyter_gpuperf.loops.module_loops import ModuleLoops
from jupyter_gpuperf.measure.stacks import current_frames

LOOKS: Final = 6
"""Number of looks per call. A forward pass takes about a third of a step, so the module is found in a few calls."""
LOOKS_WITHOUT_LOOP: Final = 3
"""Number of looks per call at a main thread in which no loop is known, such as that of an idle notebook."""
BETWEEN_SECONDS: Final = 0.01
"""Mean time between two looks. It varies, since steps may be as long."""


def look_at_loops(given: BatchCounter, torch: Any, modules: ModuleLoops | None = None) -> None:
    """Look at each loop's stack some times, in about ``LOOKS * BETWEEN_SECONDS``; find the modules that they call.

    With ``modules``, look at the main thread, too.
    """
    codes = TorchCodes.of(torch)
    main = threading.main_thread().ident or 0
    for number in range(LOOKS):
        stacks = list(given.stacks.items())
        is_main_seen = codes is not None and modules is not None and modules.can_look
        is_main_seen = is_main_seen and (bool(stacks) or number < LOOKS_WITHOUT_LOOP)
        if not stacks and not is_main_seen:
            return
        frames = current_frames()
        for thread, stack in stacks:
            frame = frames.get(thread)
            if frame is not None and not stack.was_left(time.perf_counter()):
                stack.phases.lines.add(frame, stack.codes)
                is_searched = codes is not None and thread in given.roots
                call = outermost_call(frame, codes) if codes and is_searched else None
                if call is not None and call.can_have_hooks:
                    _take(given, thread, stack, call)
        if modules is not None and codes is not None and is_main_seen and main in frames:
            modules.look(frames[main], torch, codes)
        del frames
        time.sleep(BETWEEN_SECONDS * random.uniform(0.5, 1.5))


def _take(given: BatchCounter, thread: int, stack: LoopStack, call: ModuleCall) -> None:
    if given.roots.get(thread) is None:  # a forward pass is awaited, by this loop
        root_found(given, thread, call.module)
    root = given.roots.get(thread)
    if root is not None:
        root.seen(id(stack.phases), call.module, call.args, call.kwargs)
