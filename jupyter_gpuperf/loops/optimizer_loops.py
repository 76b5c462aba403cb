"""The steps of loops that draw no batches from a watched loader: from the end of one optimizer step to the end of the next.

Several optimizers of one loop, such as those of a GAN, bound its steps together: the one that steps most often leads.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.followed_step import await_forward, follow_phases

MOST_STEPS_PER_BATCH: Final = 16
"""If an optimizer steps more often than this after the last batch of a loader, the loader's loop was left. Several steps
on one batch are usual in reinforcement learning."""
MOST_MARKS: Final = 64
"""Maximum number of optimizers that are remembered while none leads; more come from loops that create them anew."""


class _OfThread(threading.local):
    """The loop of one thread.

    Attributes
    ----------
    marks
        For each optimizer that stepped since the leader's last step, that one included: when, and the number of batches
        given until then.
    leader, owner
        The id of the optimizer that leads, and a weak reference to it.
    batch_number, repeats_count
        Of the latest batch in this thread: its number, and how often the same optimizer has stepped since.
    """

    def __init__(self) -> None:
        self.marks: dict[int, tuple[float, int]] = {}
        self.leader = 0
        self.owner: Callable[[], Any] = lambda: None
        self.clock: LoopClock | None = None
        self.batch_number = 0
        self.first_stepped = 0
        self.repeats_count = 0


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
        of_thread = self._of_thread
        try:
            if self._is_on_a_batch(optimizer, of_thread):
                of_thread.marks.clear()
                return
            self._mark(optimizer, now, of_thread)
        except Exception as error:  # noqa: BLE001  (the user's loop must continue)
            of_thread.marks.clear()
            if of_thread.clock is not None:
                of_thread.clock.error = f"{type(error).__name__}: {error}"
                of_thread.clock.phases.stop()

    def _is_on_a_batch(self, optimizer: Any, of_thread: _OfThread) -> bool:
        """Return whether the step belongs to a loader's loop; end that loop's step if it was left."""
        drawn, key = self._given.of_thread, id(optimizer)
        if drawn.iterator is None or drawn.number < self._given.paused:
            return False
        if drawn.number != of_thread.batch_number:
            of_thread.batch_number, of_thread.first_stepped = drawn.number, key
            of_thread.repeats_count = 0
        of_thread.repeats_count += key == of_thread.first_stepped
        if of_thread.repeats_count <= MOST_STEPS_PER_BATCH:
            return True
        drawn.iterator.leave_out()
        drawn.iterator = None
        return False

    def _mark(self, optimizer: Any, now: float, of_thread: _OfThread) -> None:
        marks, key = of_thread.marks, id(optimizer)
        if key == of_thread.leader and of_thread.owner() is not optimizer:
            of_thread.leader = 0  # the leader is gone, and this one has its id
            marks.pop(key, None)
        began = marks.get(key)
        if began is None:
            if len(marks) == MOST_MARKS:
                marks.clear()
            marks[key] = (now, self._given.count)
            return
        # It has stepped twice, and the leader has not stepped in between: from now on, it leads.
        if key != of_thread.leader:
            of_thread.clock = self._clock_of(optimizer)
            of_thread.leader, of_thread.owner = key, weakref.ref(optimizer)
        clock = of_thread.clock
        marks.clear()
        if clock is not None and clock.error is None:
            now += self._end_step(clock, *began, now)
            marks[key] = (now, self._given.count)
        if self.at_step_end is not None:
            self.at_step_end(optimizer)
            marks[key] = (now, -1)  # a profiler slows the step that begins: it does not count

    def _end_step(self, clock: LoopClock, began: float, count: int, now: float) -> float:
        """Record a step, and return how many seconds that took beyond the usual."""
        given = self._given
        interrupted = count < given.paused or count < given.of_thread.repeated
        follow_phases(given, clock.phases, now, interrupted=interrupted)
        await_forward(given)
        memory, reader = None, clock.memory_reader
        if reader is not None and now >= reader.due_seconds:
            memory = reader.read(now)
        clock.steps.append((began, began, now, 0, interrupted, True, memory))
        return 0.0 if memory is None or reader is None else reader.took_seconds
