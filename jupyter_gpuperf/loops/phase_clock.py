"""The phases of single steps: what the host does, and how long the GPU is in it, from marks at their boundaries.

About ten steps a second are followed through; in all others, a boundary costs one comparison. Each mark is a time, and
with a GPU a CUDA event. The events of a step are read at a later step, once the GPU has passed them.
"""

from __future__ import annotations

import math
import random
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.host_lines import HostLines
from jupyter_gpuperf.loops.idle_timer import keep_in_children
from jupyter_gpuperf.loops.loop_stream import LoopStream
from jupyter_gpuperf.loops.step_work import StepWork, WorkCounter
from jupyter_gpuperf.schemas.phases import Phase
from jupyter_gpuperf.schemas.work import Work

BEGIN: Final = "begin"
"""The loop asks its loader for a batch; without a loader, the optimizer's last step has ended."""
RECEIVED: Final = "received"
PREPARE: Final = "prepare"
"""The loop calls the function of its own that prepares a batch."""
PREPARE_END: Final = "prepare_end"
FORWARD: Final = "forward"
FORWARD_END: Final = "forward_end"
CALL_END: Final = "call_end"
"""The forward pass ends that bounds the step, which began with it."""
BACKWARD: Final = "backward"
BACKWARD_END: Final = "backward_end"
OPTIMIZER: Final = "optimizer"
OPTIMIZER_END: Final = "optimizer_end"
END: Final = "end"
PASSES: Final = (FORWARD_END, BACKWARD_END, OPTIMIZER_END)

INTERVAL_SECONDS: Final = 0.1
"""Mean time from one followed step to the next. It varies, since the loop may do something every few steps."""
MOST_MARKS: Final = 256
"""A step with more marks is dropped; it contains another loop."""
MOST_OPTIMIZERS: Final = 8
MOST_UNREAD: Final = 8
"""Maximum number of steps whose events are unread; while there are as many, no step is followed."""
MOST_WAITING: Final = 256
"""Maximum number of followed steps kept until they are tallied."""
NO_WORK: Final[Mapping[Work, float]] = MappingProxyType({})


class PhaseSpan(NamedTuple):
    """One phase of a step. ``gpu_seconds`` is the time between two events, idle time included; ``None`` without a GPU."""

    phase: Phase
    host_seconds: float
    gpu_seconds: float | None


class FollowedStep(NamedTuple):
    """A step with its phases, in order; they add up to ``seconds`` of the host."""

    seconds: float
    spans: Sequence[PhaseSpan]
    has_forward: bool
    """Whether the forward pass was marked; otherwise, copy and forward are one phase."""
    work: Mapping[Work, float] = NO_WORK


class EventPool:
    """CUDA events on the loop's stream, used again once they have been read."""

    def __init__(self, torch: Any, device: int) -> None:
        self._new, self._stream = torch.cuda.Event, LoopStream(torch, device)
        # Within the capture of a graph, an event would become a part of the graph.
        self.is_capturing: Callable[[], bool] = getattr(
            torch._C, "_cuda_isCurrentStreamCapturing", bool
        )
        self._free: list[Any] = []
        self._all: list[Any] = []
        keep_in_children(self)

    def record(self) -> Any:
        """Return an event that is recorded now; ``None`` while a graph is captured."""
        if self.is_capturing():
            return None
        if not self._free:
            self._free.append(self._new(enable_timing=True))
            self._all.append(self._free[-1])
        event = self._free.pop()
        event.record(self._stream.now())
        return event

    def give_back(self, events: Sequence[Any]) -> None:
        """Use these events again."""
        self._free.extend(each for each in events if each is not None)


class Marks:
    """The marks of one step that is followed."""

    def __init__(self, clock: PhaseClock, now: float) -> None:
        self.clock = clock
        self.kinds, self.times = [BEGIN], [now]
        self.pool = clock.pool
        self.events = [] if self.pool is None else [self.pool.record()]
        self.work = StepWork()
        """What the step does, as far as it was seen."""
        self.amounts: Mapping[Work, float] = NO_WORK

    def add(self, kind: str, now: float | None = None) -> None:
        """Mark a boundary of a phase in this step, at the time ``now``."""
        if len(self.kinds) < MOST_MARKS:
            self.kinds.append(kind)
            self.times.append(time.perf_counter() if now is None else now)
            if self.pool is not None:
                self.events.append(self.pool.record())

    def spans(self) -> FollowedStep:
        """Return the phases; the events have been passed."""
        gpu_seconds: list[float | None] = [
            one.elapsed_time(other) / 1000
            for one, other in pairwise(self.events)  # from ms
        ]
        host_seconds = [later - earlier for earlier, later in pairwise(self.times)]
        phases = self._phases()
        gpu = gpu_seconds or [None] * len(phases)
        return FollowedStep(
            self.times[-1] - self.times[0],
            [PhaseSpan(*each) for each in zip(phases, host_seconds, gpu, strict=True)],
            FORWARD in self.kinds,
            self.amounts,
        )

    def _phases(self) -> list[Phase]:
        pairs = list(pairwise(self.kinds))
        if self.kinds[0] == FORWARD:
            return [_phase_after_forward(*each) for each in pairs]
        phases = [phase_between(*each) for each in pairs]
        if RECEIVED in self.kinds:
            # After the last pass, a function of the user's prepares no batch of this step: it logs, or saves.
            last = max(
                (i for i, each in enumerate(self.kinds) if each in PASSES), default=len(phases)
            )
            phases[last:] = ["other" if each == "data" else each for each in phases[last:]]
        return phases


class PhaseClock:
    """The followed steps of one loop."""

    def __init__(self) -> None:
        self.pool: EventPool | None = None
        self.steps: deque[FollowedStep] = deque(maxlen=MOST_WAITING)
        self.due_seconds = 0.0
        """The next step that begins at this time or later is followed."""
        self.lines = HostLines()
        """Where the host's time is spent, apart from the phases."""
        self.last_seconds = 0.0
        """Duration of the last step that was followed."""
        self.work = WorkCounter()
        self.optimizers: tuple[Callable[[], Any], ...] = ()
        """Weak references to the optimizers that stepped in steps that were followed; another tuple for each new one."""
        self._unread: deque[Marks] = deque()
        self._random = random.Random(0)

    def begin(self, now: float) -> Marks | None:
        """Follow the step that begins at the time ``now``.

        ``None`` if too many steps wait for the GPU, or while a graph is captured, which reading an event would break.
        """
        self.due_seconds = now + INTERVAL_SECONDS * self._random.uniform(0.5, 1.5)
        if self.pool is not None and self.pool.is_capturing():
            return None
        self._read()
        if len(self._unread) >= MOST_UNREAD:
            return None
        marks = Marks(self, now)
        self.work.begin(marks.work)
        return marks

    def end(self, marks: Marks, now: float, *, interrupted: bool) -> None:
        """End a step that was followed; an interrupted one is dropped."""
        marks.add(END, now)
        self.last_seconds = marks.times[-1] - marks.times[0]
        is_whole = len(marks.kinds) < MOST_MARKS and None not in marks.events and not interrupted
        marks.amounts = self.work.end(marks.work, is_whole=is_whole)
        if not is_whole or marks.work.is_counted:
            self.drop(marks)
        elif marks.pool is None:
            self.steps.append(marks.spans())
        else:
            self._unread.append(marks)

    def drop(self, marks: Marks) -> None:
        """Forget a step, because the loop ended in it."""
        if marks.pool is not None:
            marks.pool.give_back(marks.events)

    def saw(self, optimizer: Any) -> None:
        """Remember an optimizer that steps in this loop."""
        if all(each() is not optimizer for each in self.optimizers):
            alive = [each for each in self.optimizers if each() is not None]
            self.optimizers = (*alive[1 - MOST_OPTIMIZERS :], weakref.ref(optimizer))

    def stop(self) -> None:
        """Follow no more steps."""
        self.due_seconds = math.inf

    def _read(self) -> None:
        unread = self._unread
        while unread and unread[0].events[-1].query():
            marks = unread.popleft()
            self.steps.append(marks.spans())
            self.drop(marks)


def phase_between(before: str, after: str) -> Phase:
    """Return the phase between two marks that follow each other."""
    if before == PREPARE or (before == BEGIN and after == RECEIVED):
        return "data"
    if after == OPTIMIZER_END or (before == OPTIMIZER and after in {OPTIMIZER, END}):
        return "optimizer"  # what else follows its begin is in step(closure): the closure's own
    if before == BACKWARD:
        return "backward"
    if before == FORWARD or after == BACKWARD:
        return "forward"  # up to the backward pass: the loss belongs to it
    if after == PREPARE and before in {BEGIN, FORWARD_END, BACKWARD_END}:
        return "forward"  # nanoGPT prepares a batch between the forward and the backward pass
    if before in {RECEIVED, PREPARE_END} and after in {FORWARD, PREPARE}:
        return "copy"
    return "other"


def _phase_after_forward(before: str, after: str) -> Phase:
    """Return the phase between two marks of a step that begins with the forward pass, and ends before the next one."""
    if (before, after) == (PREPARE_END, END):
        return "copy"
    if after == PREPARE and before != FORWARD:
        return "other"
    return phase_between(before, after)
