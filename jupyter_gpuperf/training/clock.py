"""The step clock: a few hundred nanoseconds beside each batch, and no reference to it.

What happens at every batch stands here; all arithmetic waits for :mod:`training.tallies`, in a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.schemas.training import WatchedLoader
from jupyter_gpuperf.training.batches import size_of
from jupyter_gpuperf.training.events import EventLane, Pair

MOST_WAITING: Final = 8192
"""Steps kept until they are tallied: should that stall, the oldest are lost and memory stays bounded."""

NESTED_STEPS: Final = 2
"""A step in which other loops made so many holds a loop, as an evaluation; one more step is a second loader
that the same loop draws from."""

A_PAUSE: Final = 1000
"""What a pause counts as: the end of a cell, the watch switched off and on."""


class Step(NamedTuple):
    """One step, by the host's clock."""

    began: float
    given: float
    ended: float
    samples: int
    nested: bool
    training: bool


class Given:
    """Batches that all loops of this process were given: tells who ran within whose step."""

    def __init__(self) -> None:
        self.count = 0


class LoaderClock:
    """All epochs of one loader."""

    def __init__(self, info: WatchedLoader, given: Given) -> None:
        self.info = info
        self.given = given
        self.steps: deque[Step] = deque(maxlen=MOST_WAITING)
        self.lane: EventLane | None = None
        self.worker_pids: tuple[int, ...] = ()
        self.epoch_batches = 0
        self.error: str | None = None
        """Why it went quiet: something of ours failed, and the loop must not hear of it."""


class IteratorClock:
    """One epoch, or more where the iterator begins again.

    Parameters
    ----------
    grad_enabled
        torch's; what tells training from evaluation.
    """

    __slots__ = (
        "_batches",
        "_began",
        "_count",
        "_given",
        "_grad_enabled",
        "_lane",
        "_loader",
        "_pair",
        "_samples",
        "_samples_fixed",
        "_shared",
        "_training",
    )

    def __init__(self, loader: LoaderClock, grad_enabled: Callable[[], bool]) -> None:
        self._loader = loader
        self._shared = loader.given
        self._grad_enabled = grad_enabled
        self._samples_fixed = loader.info.batch_size or 0
        self._samples = 0
        self._began = self._given = 0.0
        self._count = 0
        self._training = True
        self._pair: Pair | None = None
        self._lane: EventLane | None = None
        self._batches = 0

    def ask(self, now: float) -> None:
        """The loop asks for a batch, which ends the step of the batch before."""
        try:
            self._end_step(now)
            self._began = now
            lane = self._lane = self._loader.lane
            self._pair = None if lane is None else lane.ask()
        except Exception as error:  # noqa: BLE001  (the user's loop goes on)
            self._go_quiet(error)

    def give(self, now: float, batch: Any) -> None:  # noqa: ANN401
        """The batch is in hand."""
        try:
            if self._pair is not None and self._lane is not None:
                self._lane.give(self._pair)
            self._given = now
            self._samples = self._samples_fixed or size_of(batch) or 0
            self._training = self._grad_enabled()
            shared = self._shared
            shared.count += 1
            self._count = shared.count
            self._batches += 1
            self._loader.epoch_batches = self._batches
        except Exception as error:  # noqa: BLE001
            self._go_quiet(error)

    def end(self) -> None:
        """There was no batch: the loader has ended, or raised."""
        self._batches = 0
        self._given = 0.0
        if self._pair is not None and self._lane is not None:
            self._lane.drop(self._pair)
        self._pair = None

    def _end_step(self, now: float) -> None:
        if not self._given:
            return
        nested = self._shared.count - self._count >= NESTED_STEPS
        self._loader.steps.append(
            Step(self._began, self._given, now, self._samples, nested, self._training)
        )
        pair, lane = self._pair, self._lane
        if pair is not None and lane is not None:
            if nested:
                lane.drop(pair)
            else:
                lane.end(pair, now - self._began)
        self._given = 0.0

    def _go_quiet(self, error: Exception) -> None:
        self._loader.error = f"{type(error).__name__}: {error}"
        self._loader.lane = self._lane = None
        self._pair = None
        self._given = 0.0
