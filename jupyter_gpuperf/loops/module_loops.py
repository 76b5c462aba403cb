"""The steps of loops without a loader and an optimizer, such as inference: from one call of a module to its next.

The module is found by looks at the main thread's stack while no other loop runs there. Then the calls of its ``forward`` are
reported by Python, and only these. All else of torch stays as it is: hooks that are there for long would be saved with the
model, and compiled.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any, Final

from jupyter_gpuperf.loops.batch_counter import BatchCounter, OfThread
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.code_events import CodeEvents
from jupyter_gpuperf.loops.followed_step import mark_phase, root_found
from jupyter_gpuperf.loops.leading_call import Lead, lead_of, leading_call
from jupyter_gpuperf.loops.module_calls import ModuleCall, TorchCodes, code_of_call, outermost_call
from jupyter_gpuperf.loops.module_lead import ModuleLead
from jupyter_gpuperf.loops.phase_clock import CALL_END, FORWARD
from jupyter_gpuperf.loops.plain_steps import end_step

MOST_ACCUMULATED: Final = 32
"""Number of calls with a backward pass until it is believed that no optimizer will step: gradients may be accumulated."""
PATIENCE_SECONDS: Final = 5.0
"""After a batch of a loader or a step of an optimizer, no module leads for this time: in reinforcement learning, updates and
calls of the policy take turns, and the optimizer bounds the steps."""
MOST_PATIENCE_SECONDS: Final = 60.0
"""The same after longer turns."""
BATCH_SECONDS: Final = 60.0
"""A loop that calls a module for this long without another batch no longer belongs to the loader's loop."""


_Mark = tuple[float, int, int, int]
"""A call that began a step: when; the number of batches given until then; this thread's optimizer steps and backward passes.

Not a named tuple, which takes longer to create than all the rest.
"""


class ModuleLoops:
    """The loop of the main thread whose steps are bounded by a module. It is switched with what is changed in torch.

    Parameters
    ----------
    events
        Reports the calls of the module.
    clock_of
        Returns the clock of the loop that this module leads.
    """

    def __init__(
        self, given: BatchCounter, events: CodeEvents, clock_of: Callable[[Any], LoopClock]
    ) -> None:
        self.quiet = True
        """Whether calls are not noticed."""
        self.at_step_end: Callable[[Any], None] | None = None
        """Called with the module at the end of each step while steps are profiled; otherwise ``None``."""
        self._given, self._events, self._clock_of = given, events, clock_of
        self._thread = threading.main_thread().ident or 0
        self._choice = ModuleLead()
        self._lead: Lead | None = None
        self._clock: LoopClock | None = None
        self._mark: _Mark | None = None
        self._is_over = False
        """Whether another kind of loop runs in this thread."""
        self._paused = 0
        self._other_seconds, self._patience_seconds = -math.inf, PATIENCE_SECONDS
        self._accumulated = 0
        self._batch = (0, 0.0)

    def apply(self) -> None:
        """Look for a module from now on."""
        self.quiet = False

    def undo(self) -> None:
        """Have no calls reported any more."""
        self.quiet = True
        self._end_lead(time.perf_counter())

    # In the thread of the telemetry.

    def look(self, frame: FrameType, torch: Any, codes: TorchCodes) -> None:
        """Take a look at the main thread, whose innermost frame this is."""
        now = time.perf_counter()
        if self._is_in_other_loop(now):
            self._end_lead(now)
            return
        call, clock, mark = outermost_call(frame, codes), self._clock, self._mark
        leader = self._choice.look(
            id(call.module) if call else None,
            now,
            called_seconds=mark[0] if mark else 0.0,
            step_seconds=clock.phases.last_seconds if clock else 0.0,
        )
        if leader is None:
            self._forget_lead()
        elif call is not None and leader == id(call.module):
            self._take(call, codes, torch)

    @property
    def can_look(self) -> bool:
        """Whether looks are of any use."""
        return not self.quiet and self._events.are_available

    def _is_in_other_loop(self, now: float) -> bool:
        """Return whether another kind of loop runs in this thread, or did so lately and may go on."""
        given, stack = self._given, self._given.stacks.get(self._thread)
        if self._paused != given.paused:  # another cell
            self._paused, self._other_seconds = given.paused, -math.inf
            self._patience_seconds = PATIENCE_SECONDS
        is_own = (
            stack is not None and self._clock is not None and stack.phases is self._clock.phases
        )
        is_over, self._is_over = self._is_over, False
        if is_over and self._other_seconds > -math.inf:
            turn_seconds = 3 * (now - self._other_seconds)
            longest = max(self._patience_seconds, turn_seconds)
            self._patience_seconds = min(MOST_PATIENCE_SECONDS, longest)
        if is_over or (stack is not None and not is_own and not stack.was_left(now)):
            self._other_seconds = now
        return now - self._other_seconds < self._patience_seconds

    def _take(self, call: ModuleCall, codes: TorchCodes, torch: Any) -> None:
        """Follow the calls of the module that leads, in which the thread was seen."""
        lead = self._lead
        is_same = lead is not None and lead.module() is call.module
        if not is_same:
            self._forget_lead()
        begins = code_of_call(call.module, codes)
        if begins is not None and not (lead and is_same and lead.begins is begins):
            self._drop_events()
            if self._events.follow(begins, self._begins, self._ends):
                self._lead = lead_of(call, begins, codes, torch)
        elif lead is not None and is_same:  # it may be called from several functions
            self._lead = lead._replace(caller=call.caller)
        root = self._given.roots.get(self._thread)
        if self._lead and call.can_have_hooks and (not root or root.module() is not call.module):
            root_found(self._given, self._thread, call.module)

    def _end_lead(self, now: float) -> None:
        self._choice.end(now)
        self._forget_lead()

    def _forget_lead(self) -> None:
        self._drop_events()
        given, clock, self._clock, self._mark = self._given, self._clock, None, None
        stack = given.stacks.get(self._thread)
        if clock is not None and stack is not None and stack.phases is clock.phases:
            given.stacks.pop(self._thread, None)
        self._accumulated = 0

    def _drop_events(self) -> None:
        lead, self._lead = self._lead, None
        if lead is not None:
            self._events.drop(lead.begins)
            root = self._given.roots.get(self._thread)
            if root is not None and root.module() is lead.module():
                root.release()
                self._given.roots.pop(self._thread, None)

    # In the main thread, at the calls of the module.

    def _begins(self) -> None:
        lead = self._lead
        if lead is None or self.quiet or get_ident() != self._thread:
            return
        call = leading_call(lead)
        if call is None:
            return
        try:
            self._called(lead, call, time.perf_counter())
        except Exception as error:  # noqa: BLE001  (the user's loop must continue)
            self._mark = None
            if self._clock is not None:
                self._clock.error = f"{type(error).__name__}: {error}"
                self._clock.phases.stop()

    def _called(self, lead: Lead, call: FrameType, now: float) -> None:
        """Record that the module is called at the time ``now``, which ends a step and begins one."""
        given, before = self._given, self._mark
        drawn = given.of_thread
        steps, passes = drawn.optimizer_steps, drawn.backward_passes
        if drawn.iterator is not None and self._is_on_a_batch(drawn, now):
            self._give_way()
            return
        if before is not None:
            began, count, steps_before, passes_before = before
            if steps != steps_before:
                self._give_way()
                return
            if passes != passes_before:
                self._accumulated += 1
            if not 0 < self._accumulated < MOST_ACCUMULATED:
                is_interrupted = count < given.paused or count < drawn.repeated
                now = self._end_step(lead, call, began, now, is_interrupted)
        count = given.count if self.at_step_end is None else -1  # a profiler slows the next step
        self._mark = (now, count, steps, passes)

    def _give_way(self) -> None:
        self._mark, self._is_over, self._accumulated = None, True, 0

    def _is_on_a_batch(self, drawn: OfThread, now: float) -> bool:
        if drawn.number < self._given.paused:
            return False
        if self._batch[0] != drawn.number:
            self._batch = (drawn.number, now)
        return now - self._batch[1] < BATCH_SECONDS

    def _end_step(
        self, lead: Lead, call: FrameType, began: float, now: float, is_interrupted: bool
    ) -> float:
        """Record a step; return when the next one begins."""
        given, clock = self._given, self._clock
        if clock is None:
            clock = self._clock = self._clock_of(lead.module())
        if clock.error is not None:
            return now
        now = end_step(
            given,
            clock,
            began,
            now,
            interrupted=is_interrupted,
            training=lead.is_grad_enabled(),
            caller=call.f_back,
        )
        if given.marks:
            self._begin_forward(clock, call)
        if self.at_step_end is not None:
            self.at_step_end(lead.module())
        return now

    def _begin_forward(self, clock: LoopClock, call: FrameType) -> None:
        """Let the step that begins now begin with the forward pass, if it is followed."""
        marks = self._given.marks.get(self._thread)
        if marks is not None and marks.clock is clock.phases:
            marks.kinds[0] = FORWARD
            root, values = self._given.roots.get(self._thread), call.f_locals
            if root is not None and root.module() is values.get("self"):
                root.take(values.get("args", ()), values.get("kwargs", {}))

    def _ends(self) -> None:
        given = self._given
        if not given.marks:
            return
        marks, lead, clock = given.marks.get(get_ident()), self._lead, self._clock
        if marks is None or lead is None or clock is None or marks.clock is not clock.phases:
            return
        is_first = marks.kinds[0] == FORWARD and CALL_END not in marks.kinds
        if is_first and leading_call(lead) is not None:
            mark_phase(given, CALL_END)
