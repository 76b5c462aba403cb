"""Follow single steps of a thread's loop through their phases, from the places where the loop meets the step clock."""

from __future__ import annotations

import threading

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.phase_clock import PhaseClock
from jupyter_gpuperf.loops.root_module import RootModule


def follow_phases(
    given: BatchCounter, phases: PhaseClock, now: float, *, interrupted: bool
) -> None:
    """End the step that was followed, if any, and follow the step that begins at the time ``now``, if one is due."""
    of_thread = given.of_thread
    marks, of_thread.marks = of_thread.marks, None
    if marks is not None:
        if marks.clock is phases:
            phases.end(marks, now, interrupted=interrupted)
        else:  # another loop begins within the step
            marks.clock.drop(marks)
        _release(given)
    if now >= phases.due_seconds:
        of_thread.marks = phases.begin(now)


def drop_phases(given: BatchCounter) -> None:
    """Forget the step that this thread's loop is in."""
    marks, given.of_thread.marks = given.of_thread.marks, None
    if marks is not None:
        marks.clock.drop(marks)
        _release(given)


def mark_phase(given: BatchCounter, kind: str) -> None:
    """Mark a boundary in the step that this thread's loop is in, if that is followed. Never raises."""
    marks = given.of_thread.marks
    if marks is not None:
        try:
            marks.add(kind)
        except Exception:  # noqa: BLE001  (the user's loop must continue)
            given.of_thread.marks = None


def await_forward(given: BatchCounter) -> None:
    """Have the next forward pass of the loop's module marked, if the step is followed and the module is known."""
    if given.of_thread.marks is None:
        return
    root = given.roots.setdefault(threading.get_ident(), None)
    if root is not None:
        root.await_forward()


def _release(given: BatchCounter) -> None:
    root = given.roots.get(threading.get_ident())
    if root is not None:
        root.release()


def root_found(given: BatchCounter, thread: int, module: object) -> None:
    """Take ``module`` as the one whose forward pass is a phase of the steps in this thread."""
    given.roots[thread] = RootModule(module, lambda kind: mark_phase(given, kind))
