"""Follow single steps of a thread's loop through their phases, from the places where the loop meets the step clock."""

from __future__ import annotations

import sys
from threading import get_ident
from types import FrameType
from typing import Any

from jupyter_gpuperf.loops.batch_counter import BatchCounter, LoopStack
from jupyter_gpuperf.loops.host_lines import users_codes
from jupyter_gpuperf.loops.phase_clock import OPTIMIZER, PhaseClock
from jupyter_gpuperf.loops.root_module import RootModule
from jupyter_gpuperf.loops.step_inputs import StepInputs


def follow_phases(
    given: BatchCounter,
    phases: PhaseClock,
    now: float,
    *,
    interrupted: bool,
    caller: FrameType | None = None,
) -> None:
    """End the step that was followed, if any, and follow the step that begins at the time ``now``, if one is due.

    Nothing needs to be done while ``given.marks`` is empty and no step is due. The loop is in the frame ``caller`` or in
    those that called it; without it, in those that called this function.
    """
    thread = get_ident()
    marks = given.marks.pop(thread, None)
    if marks is not None:
        if marks.clock is phases:
            phases.end(marks, now, interrupted=interrupted)
        else:  # another loop begins within the step
            marks.clock.drop(marks)
        _release(given, thread)
    is_due = given.follows_phases and now >= phases.due_seconds
    if is_due and (fresh := phases.begin(now)) is not None:
        given.marks[thread] = fresh
        given.roots.setdefault(thread, None)  # from now on, it is searched for
        given.stacks[thread] = LoopStack(phases, users_codes(caller or sys._getframe(1)), now)


def drop_phases(given: BatchCounter) -> None:
    """Forget the step that this thread's loop is in."""
    thread = get_ident()
    marks = given.marks.pop(thread, None)
    if marks is not None:
        marks.clock.drop(marks)
        _release(given, thread)


def mark_phase(given: BatchCounter, kind: str) -> None:
    """Mark a boundary in the step that this thread's loop is in, if that is followed. Never raises."""
    thread = get_ident()
    marks = given.marks.get(thread)
    if marks is not None:
        try:
            marks.add(kind)
        except Exception:  # noqa: BLE001  (the user's loop must continue)
            given.marks.pop(thread, None)


def mark_optimizer(given: BatchCounter, optimizer: Any) -> None:
    """Mark the begin of an optimizer's step, and remember the optimizer, if this thread's step is followed."""
    marks = given.marks.get(get_ident())
    if marks is not None:
        marks.clock.saw(optimizer)
        mark_phase(given, OPTIMIZER)


def is_counted(given: BatchCounter) -> bool:
    """Return whether the step that this thread's loop is in was slowed, because its operations were counted."""
    marks = given.marks.get(get_ident())
    return marks is not None and marks.work.is_counted


def await_forward(given: BatchCounter) -> None:
    """Have the next forward pass of the loop's module marked, if the step is followed and the module is known.

    Call this only where a forward pass comes next. Hooks that are still there after the loop would be compiled with the
    model, by TorchScript, or be exported.
    """
    thread = get_ident()
    if thread in given.marks:
        root = given.roots.get(thread)
        if root is not None:
            # The hooks are removed with the forward pass, or when the step ends.
            root.await_forward(given.marks[thread].work.count)


def _release(given: BatchCounter, thread: int) -> None:
    root = given.roots.get(thread)
    if root is not None:
        root.release()


def root_found(given: BatchCounter, thread: int, module: object) -> None:
    """Take ``module`` as the one whose forward pass is a phase of the steps in this thread."""

    def take(inputs: StepInputs) -> None:
        marks = given.marks.get(thread)
        if marks is not None:
            marks.work.inputs = inputs

    given.roots[thread] = RootModule(module, lambda kind: mark_phase(given, kind), take)
