"""The steps of loops that draw no batches from a watched loader: from the end of one optimizer step to the end of the next.

Several optimizers of one loop, such as those of a GAN, bound its steps together: the one that steps most often leads.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter, OfThread
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.plain_steps import end_step

MOST_STEPS_PER_BATCH: Final = 16
"""If an optimizer steps more often than this after the last batch of a loader, the loader's loop was left. Several steps
on one batch are usual in reinforcement learning."""
MOST_MARKS: Final = 64
"""Maximum number of optimizers that are remembered while none leads; more come from loops that create them anew."""


class _Loop:
    """The loop of one thread.

    Attributes
    ----------
    marks
        For each optimizer that stepped since the leader's last step, that one included: when, and the number of batches
        given until then.
    leader, owner
        The id of the optimizer that leads, and a weak reference to it.
    batch_number, first_stepped, repeats_count
        Of the latest batch in this thread: its number, the id of the optimizer that stepped first since, and how often.
    """

    __slots__ = (
        *("batch_number", "clock", "first_stepped", "leader", "marks", "owner", "repeats_count"),
    )

    def __init__(self) -> None:
        self.marks: dict[int, tuple[float, int]] = {}
        self.leader = 0
        self.owner: Callable[[], Any] = lambda: None
        self.clock: LoopClock | None = None
        self.batch_number = 0
        self.first_stepped = 0
        self.repeats_count = 0


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.loop = _Loop()


class OptimizerLoops:
    """The loops of this process whose steps are bounded by an optimizer.

    Parameters
    ----------
    given
        The numbers of the batches that watched loaders give: while a loop draws batches, the loader bounds its steps.
    clock_of
        Returns the clock of the loop that this optimizer leads.
    """

    def __init__(self, given: BatchCounter, clock_of: Callable[[Any], LoopClock]) -> None:
        self.at_step_end: Callable[[Any], None] | None = None
        """Called with the leading optimizer at the end of each step while steps are profiled; otherwise ``None``."""
        self._given, self._clock_of = given, clock_of
        self._of_thread = _OfThread()

    def stepped(self, optimizer: Any, now: float) -> None:
        """Record that an optimizer's step ended at the time ``now``."""
        loop, drawn = self._of_thread.loop, self._given.of_thread
        drawn.optimizer_steps += 1
        try:
            if drawn.iterator is not None and self._is_on_a_batch(optimizer, loop, drawn):
                loop.marks.clear()
                return
            marks, key = loop.marks, id(optimizer)
            if key == loop.leader and loop.owner() is not optimizer:
                loop.leader = 0  # the leader is gone, and this one has its id
                marks.pop(key, None)
            began = marks.get(key)
            if began is None:
                if len(marks) == MOST_MARKS:
                    marks.clear()
                marks[key] = (now, self._given.count)
            else:
                self._end_step(optimizer, loop, began, now, drawn.repeated)
        except Exception as error:  # noqa: BLE001  (the user's loop must continue)
            loop.marks.clear()
            if loop.clock is not None:
                loop.clock.error = f"{type(error).__name__}: {error}"
                loop.clock.phases.stop()

    def _is_on_a_batch(self, optimizer: Any, loop: _Loop, drawn: OfThread) -> bool:
        """Return whether the step belongs to a loader's loop; end that loop's step if it was left."""
        key = id(optimizer)
        if drawn.iterator is None or drawn.number < self._given.paused:
            return False
        if drawn.number != loop.batch_number:
            loop.batch_number, loop.first_stepped = drawn.number, key
            loop.repeats_count = 0
        loop.repeats_count += key == loop.first_stepped
        if loop.repeats_count <= MOST_STEPS_PER_BATCH:
            return True
        drawn.iterator.leave_out()
        drawn.iterator = None
        return False

    def _end_step(
        self, optimizer: Any, loop: _Loop, mark: tuple[float, int], now: float, repeated: int
    ) -> None:
        """Record a step: this optimizer has stepped twice, and the leader, if another, has not stepped in between."""
        given, (began, count) = self._given, mark
        if loop.leader != id(optimizer):  # from now on, it leads
            loop.clock = self._clock_of(optimizer)
            loop.leader, loop.owner = id(optimizer), weakref.ref(optimizer)
        clock = loop.clock
        loop.marks.clear()
        if clock is None or clock.error is not None:
            return
        interrupted = count < given.paused or count < repeated
        now = end_step(given, clock, began, now, interrupted=interrupted)
        loop.marks[loop.leader] = (now, given.count)
        if self.at_step_end is not None:
            self.at_step_end(optimizer)
            loop.marks[loop.leader] = (now, -1)  # a profiler slows the next step: it does not count
