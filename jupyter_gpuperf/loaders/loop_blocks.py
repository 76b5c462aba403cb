"""Run a loop in blocks of steps, each of which is timed as a whole."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.block_planning import FEWEST_STEPS, Pace, whole_rounds
from jupyter_gpuperf.loaders.device_timeline import HostTimeline
from jupyter_gpuperf.loaders.worker_pause import WorkerPause

PACE_STEPS: Final = 3
"""Number of steps to time for a loop's pace, rounded up to whole rounds of the workers."""
DRY_SECONDS: Final = 0.05
"""A batch that is already in the queue always arrives in less than this time."""
BURST_STEPS: Final = 2
"""If a wait for a batch is longer than this many steps, the batches after it arrive in a burst."""
WORKER_EXIT_SECONDS: Final = 5.0
"""How long torch waits for a worker that is still loading before terminating it."""
_NOTHING: Final = object()


class EndlessBatches:
    """Iterator over a loader's batches, epoch after epoch.

    Parameters
    ----------
    each
        Called with each batch before the batch is returned.
    on_start
        Called with the loader's iterator when an epoch starts, before its first batch.

    Attributes
    ----------
    starts
        Number of epochs started.

    Raises
    ------
    BadRequest
        ``empty_loader``, raised by ``next()``: the loader returned no batch.
    """

    def __init__(
        self,
        loader: Any,
        each: Callable[[Any], None] = lambda batch: None,
        on_start: Callable[[Any], None] = lambda iterator: None,
    ) -> None:
        self._loader, self._each, self._on_start = loader, each, on_start
        self.starts = 0
        self._epoch: Any = None

    def __iter__(self) -> Iterator[Any]:
        """Return this iterator."""
        return self

    def __next__(self) -> Any:
        """Return the next batch; start a new epoch if the current one has ended."""
        batch = _NOTHING if self._epoch is None else next(self._epoch, _NOTHING)
        if batch is _NOTHING:
            self._epoch = iter(self._loader)
            self.starts += 1
            self._on_start(self._epoch)
            batch = next(self._epoch, _NOTHING)
        if batch is _NOTHING:
            raise BadRequest("empty_loader", "The loader returned no batch.", "Check its dataset.")
        self._each(batch)
        return batch

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the current epoch's workers; empty if there are none."""
        return [each.pid for each in getattr(self._epoch, "_workers", ())]

    def close(self) -> None:
        """Drop the current epoch's iterator, which ends its workers."""
        self._epoch = None


@dataclass
class Loop:
    """A loop whose steps are timed in blocks. Between its blocks, its workers are paused.

    Parameters
    ----------
    timeline
        The timeline on which the steps are timed.
    workers
        Number of DataLoader workers.
    prefetched
        Maximum number of batches in the queue when the first batch arrives.
    steps
        Number of steps per block.
    """

    batches: Iterator[Any]
    step: Callable[[Any], object]
    timeline: HostTimeline
    worker_pause: WorkerPause
    workers: int = 0
    prefetched: int = 0
    steps: int = FEWEST_STEPS

    def __post_init__(self) -> None:
        self._step_seconds = 0.0
        self.startup_seconds = 0.0
        """Seconds from the start of the workers to the first batch."""
        self._waits_seconds: deque[float] = deque(maxlen=max(1, self.workers))

    def warm_up(self, limit_seconds: float) -> None:
        """Start the workers, and use up the batches loaded before the first step, because they arrive too fast.

        The start of the workers is not limited; ``limit_seconds`` applies to the rest.
        """
        with self._workers_running(limit_seconds):
            began = self.timeline.clock()
            self.startup_seconds = self._take()
            # This estimate sets the timeout of the next steps, which must be long for slow steps.
            self._step_seconds = self.timeline.clock() - began
            self._waits_seconds.clear()  # this wait includes the start of the workers
            self._drain(limit_seconds)

    def measure_pace(self, limit_seconds: float) -> None:
        """Time enough steps to estimate the seconds per step, but at most for ``limit_seconds``."""
        unit = max(1, self.workers)
        taken = self._timed(whole_rounds(PACE_STEPS, self.workers), limit_seconds)
        if taken % unit:
            # A round has one batch of each worker. The steps of an incomplete round may be its fast ones, but the
            # longest wait covers the whole round.
            self._step_seconds = max(self._step_seconds, max(self._waits_seconds) / unit)

    @property
    def pace(self) -> Pace:
        """The loop's pace at its last timing."""
        return Pace(
            seconds=self._step_seconds,
            workers=self.workers,
            lead_steps=self._lead_steps,
            comes_in_bursts=max(self._waits_seconds) > BURST_STEPS * self._step_seconds,
        )

    @property
    def ending_seconds(self) -> float:
        """Seconds that the workers may take to end, because each worker finishes its batch first."""
        return min(WORKER_EXIT_SECONDS, self.workers * self._step_seconds)

    def block(self) -> float:
        """Run one block and return its seconds per step."""
        self._timed(self.steps)
        return self._step_seconds

    def close(self) -> None:
        """Resume the workers, and end them."""
        self.worker_pause.resume(self._pids)  # paused workers can't end
        if isinstance(self.batches, EndlessBatches):
            self.batches.close()

    @property
    def _lead_steps(self) -> int:
        if not self.worker_pause.is_possible:
            return self.prefetched
        return 1 if self.timeline.runs_ahead else 0

    def _timed(self, steps: int, limit_seconds: float = math.inf) -> int:
        """Time up to ``steps`` steps, at least one, until the limit; return how many were run."""
        taken = 0
        with self._workers_running(5 * steps * self._step_seconds):
            if not self.worker_pause.is_possible:
                self._drain(math.inf)
            elif self.timeline.runs_ahead:
                self._take()  # the host loads the first timed batch while the device runs this step, as in the real loop
            began, begin = self.timeline.clock(), self.timeline.mark()
            while not taken or (taken < steps and self.timeline.clock() - began < limit_seconds):
                self._take()
                taken += 1
            self._step_seconds = self.timeline.seconds(begin, self.timeline.mark()) / taken
            self.timeline.wait()
        return taken

    @contextlib.contextmanager
    def _workers_running(self, seconds: float) -> Iterator[None]:
        """Let the workers run during the body, which should take at most ``seconds``."""
        self.worker_pause.resume(self._pids)
        with self.worker_pause.giving_up_after(seconds):
            yield
        self.worker_pause.pause(self._pids)

    def _drain(self, limit_seconds: float) -> None:
        began = self.timeline.clock()
        for _ in range(self.prefetched):
            asked = self.timeline.clock()
            next(self.batches)  # without the step, during which workers would fill the queue again
            now = self.timeline.clock()
            self._waits_seconds.append(now - asked)
            if now - asked > DRY_SECONDS or now - began > limit_seconds:
                break

    def _take(self) -> float:
        """Run one step; return the seconds spent waiting for its batch."""
        began = self.timeline.clock()
        batch = next(self.batches)
        waited_seconds = self.timeline.clock() - began
        self._waits_seconds.append(waited_seconds)
        self.step(batch)
        return waited_seconds

    @property
    def _pids(self) -> list[int]:
        return self.batches.worker_pids if isinstance(self.batches, EndlessBatches) else []
