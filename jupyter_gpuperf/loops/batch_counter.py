"""What the loops of this process share: the numbers of their batches, and for each thread the step that it is in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import CodeType
from typing import Final, NamedTuple, Protocol

from jupyter_gpuperf.loops.phase_clock import Marks, PhaseClock
from jupyter_gpuperf.loops.root_module import RootModule

LEFT_SECONDS: Final = 0.3
"""A loop without a step for this time and three of its steps was left; its thread is doing something else."""


class OpenStep(Protocol):
    """A step of a loader's loop that has not ended."""

    def leave_out(self) -> None:
        """Count the step as interrupted, since it is no ordinary step of the loop."""


class OfThread(threading.local):
    """What each thread has for itself: loops in two threads don't run within each other's steps."""

    repeated = 0
    """The number of the latest batch after which its loader has given another one."""
    number = 0
    """The number of the latest batch."""
    iterator: OpenStep | None = None
    """What gave the latest batch, until that ends."""
    optimizer_steps = backward_passes = 0
    """Their numbers so far."""


class LoopStack(NamedTuple):
    """The code of the functions on a thread's stack where its loop meets the step clock, innermost first."""

    phases: PhaseClock
    codes: Sequence[CodeType]
    when_seconds: float
    """When a step began there, by ``time.perf_counter()``."""

    def was_left(self, now: float) -> bool:
        """Return whether the loop seems to have ended."""
        return now - self.when_seconds > LEFT_SECONDS + 3 * self.phases.last_seconds


class BatchCounter:
    """Numbers the batches given to all loops of this process, to detect a loop that ran within a step of another.

    A step is interrupted by another loop, such as an evaluation, if one loader gave at least two batches
    during the step. Single batches only mean that the loop draws from several loaders.
    """

    def __init__(self) -> None:
        self.count = self.paused = 0
        self.of_thread = OfThread()
        self.follows_phases = False
        """Whether phases are measured: only while all their boundaries are seen, as when everything is watched."""
        self.marks: dict[int, Marks] = {}
        """Thread → the marks of the step that it is in, if its phases are measured. Mostly empty, which is quick to see."""
        self.roots: dict[int, RootModule | None] = {}
        """Thread → the outermost module that its loop calls; ``None`` until it is found."""
        self.stacks: dict[int, LoopStack] = {}
        """Thread → where its loop is, when a step was last followed."""

    def pause(self) -> None:
        """Interrupt all current steps: a cell ended in them, or the watch was off."""
        self.count += 1
        self.paused = self.count
        for root in list(self.roots.values()):
            if root is not None:
                root.release()
        self.roots.clear()  # the next cell may have another model
        self.stacks.clear()
        for thread in list(self.marks):
            marks = self.marks.pop(thread, None)
            if marks is not None:
                marks.clock.drop(marks)
