"""Record the steps of loops without a loader: from one event, such as the end of an optimizer's step, to the next."""

from __future__ import annotations

from types import FrameType

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.followed_step import follow_phases, is_counted


def end_step(
    given: BatchCounter,
    clock: LoopClock,
    began: float,
    now: float,
    *,
    interrupted: bool,
    training: bool = True,
    caller: FrameType | None = None,
) -> float:
    """Record a step that lasted from ``began`` to ``now``; return when the next one begins.

    Parameters
    ----------
    caller
        The frame of the loop, or of what it calls; without it, that of this function's caller.
    """
    left_out = interrupted or (bool(given.marks) and is_counted(given))
    memory, reader, phases = None, clock.memory_reader, clock.phases
    if given.marks or now >= phases.due_seconds:
        follow_phases(given, phases, now, interrupted=interrupted, caller=caller)
    ended = now
    if reader is not None and now >= reader.due_seconds:
        memory = reader.read(now)
        now += reader.took_seconds  # it is no part of the next step
    clock.steps.append((began, began, ended, 0, left_out, training, memory))
    return now
