"""The step clock of loops that draw batches from a loader: it adds a few hundred nanoseconds per batch, and keeps no reference to the batch.

This module contains the code that runs at every batch. :mod:`loops.tallies` does all arithmetic, in another thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.batches import size_of
from jupyter_gpuperf.loops.followed_step import (
    await_forward,
    drop_phases,
    follow_phases,
    is_counted,
    mark_phase,
)
from jupyter_gpuperf.loops.idle_timer import IdleTimer, Pair
from jupyter_gpuperf.loops.memory_reader import MemoryReader, MemoryReading
from jupyter_gpuperf.loops.phase_clock import RECEIVED, PhaseClock
from jupyter_gpuperf.schemas.training import WatchedLoop

MOST_WAITING: Final = 1 << 15
"""Maximum number of steps kept until they are tallied. If tallying stalls, the oldest steps are dropped."""


class StepTimes(NamedTuple):
    """One step by the host's clock: when its batch was requested, when the batch was given, and when the step ended."""

    began: float
    given: float
    ended: float
    samples: int
    interrupted: bool
    training: bool
    memory: MemoryReading | None


RawStep = tuple[float, float, float, int, bool, bool, MemoryReading | None]
"""A step as a plain tuple, with the fields of :class:`StepTimes`."""


@dataclass(eq=False)
class LoopClock:
    """The steps of one loop: those that draw from one loader, over all its epochs, or those of one optimizer."""

    info: WatchedLoop
    given: BatchCounter
    steps: deque[RawStep] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    phases: PhaseClock = field(default_factory=PhaseClock)
    idle_timer: IdleTimer | None = None
    memory_reader: MemoryReader | None = None
    worker_pids: tuple[int, ...] = ()
    described_optimizers: tuple[Callable[[], Any], ...] = ()
    """Those that ``info`` describes."""
    number: int = 0
    """The number of the latest batch."""
    newest: IteratorClock | None = None
    last_epoch_batches: int = 0
    error: str | None = None
    """An error in the clock's own code, after which measuring stopped so that the user's loop was not affected;
    ``None`` without an error."""

    @property
    def epoch_batches(self) -> int:
        """Number of batches of the current epoch so far, or of the last epoch that ended."""
        return (self.newest and self.newest.batches) or self.last_epoch_batches


@dataclass(slots=True, eq=False)
class IteratorClock:
    """The steps of one iterator: of one epoch, or of several if the iterator restarts.

    Parameters
    ----------
    is_grad_enabled
        torch's ``is_grad_enabled``, which distinguishes training from evaluation.
    """

    _loader: LoopClock
    _is_grad_enabled: Callable[[], bool]
    batches: int = 0
    """Number of batches given in the current epoch."""
    _began: float = 0.0
    _given: float = 0.0
    _count: int = 0
    _training: bool = True
    _pair: Pair | None = None
    _idle_timer: IdleTimer | None = None
    _shared: BatchCounter = field(init=False)
    _append: Callable[[RawStep], None] = field(init=False)
    _samples_fixed: int = field(init=False)
    _samples: int = field(init=False)

    def __post_init__(self) -> None:
        self._shared = self._loader.given
        self._append = self._loader.steps.append
        self._samples_fixed = self._samples = self._loader.info.batch_size or 0
        self._loader.newest = self

    def batch_requested(self, now: float) -> None:
        """Record that the loop asks for a batch at the time ``now``, which ends the step of the previous batch."""
        try:
            given, ended = self._given, now
            shared = self._shared
            if given:
                interrupted = self._count < shared.paused or self._count < shared.of_thread.repeated
                left_out = interrupted or (bool(shared.marks) and is_counted(shared))
                memory, reader = None, self._loader.memory_reader
                if reader is not None and now >= reader.due_seconds:
                    memory = reader.read(now)
                    now += reader.took_seconds  # it is no part of the next wait
                # Append a plain tuple: creating a named tuple takes longer than all the rest.
                self._append(
                    (self._began, given, ended, self._samples, left_out, self._training, memory)
                )
                self._given = 0.0
                pair = self._pair
                if pair is not None and self._idle_timer is not None:
                    self._pair = None
                    if left_out:
                        self._idle_timer.drop(pair)
                    else:
                        self._idle_timer.end(pair, ended - self._began)
            else:
                interrupted = True
            phases = self._loader.phases
            if shared.marks or ended >= phases.due_seconds:
                follow_phases(shared, phases, ended, interrupted=interrupted)
            self._began = now
            idle_timer = self._loader.idle_timer
            if idle_timer is not None:
                self._idle_timer = idle_timer
                self._pair = idle_timer.batch_requested()
        except Exception as error:  # noqa: BLE001  (the user's loop must continue)
            self._go_quiet(error)

    def batch_received(self, now: float, batch: Any) -> None:
        """Record that the loop has received its batch at the time ``now``."""
        try:
            self._given = now
            if self._pair is not None and self._idle_timer is not None:
                self._idle_timer.batch_received(self._pair)
            shared, loader = self._shared, self._loader
            of_thread = shared.of_thread
            if shared.marks:
                mark_phase(shared, RECEIVED)
                await_forward(shared)
            if not self._samples_fixed:
                self._samples = size_of(batch) or 0
            self._training = self._is_grad_enabled()
            of_thread.repeated = max(of_thread.repeated, loader.number)
            of_thread.iterator = self
            of_thread.number = self._count = loader.number = shared.count = shared.count + 1
            self.batches += 1
        except Exception as error:  # noqa: BLE001  (the user's loop must continue)
            self._go_quiet(error)

    def leave_out(self) -> None:
        """Count the current step as interrupted."""
        self._count = -1

    def end(self) -> None:
        """Record that the loop got no batch, because the loader is exhausted or raised an error."""
        self._loader.last_epoch_batches = self.batches
        self.batches = 0
        self._given = 0.0
        of_thread = self._shared.of_thread
        if of_thread.iterator is self:
            of_thread.iterator = None
        if self._shared.marks:
            drop_phases(self._shared)
        if self._pair is not None and self._idle_timer is not None:
            self._idle_timer.drop(self._pair)
        self._pair = None

    def _go_quiet(self, error: Exception) -> None:
        self._loader.error = f"{type(error).__name__}: {error}"
        self._loader.idle_timer = self._idle_timer = self._loader.memory_reader = None
        self._loader.phases.stop()
        self._pair = None
        self._given = 0.0
