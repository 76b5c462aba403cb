"""Run the step at one batch size: whether it runs, its peak memory in each phase, and roughly how long it takes.

Whatever happens on the way, nothing of it stays in memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.batch_sizes.device_meter import HostMeter, forget, is_out_of_memory
from jupyter_gpuperf.batch_sizes.phase_peaks import OptimizerUpdates, PhasePeaks
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.batches import with_new_containers
from jupyter_gpuperf.loaders.device_timeline import HostTimeline
from jupyter_gpuperf.loaders.loop_blocks import Loop
from jupyter_gpuperf.loaders.resized_batches import ResizedBatches
from jupyter_gpuperf.loaders.worker_pause import WorkerPause
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.records import bytes_of

FEWEST_STEPS: Final = 2
MOST_STEPS: Final = 32
"""So many steps are run until an optimizer has worked: with accumulated gradients, not every step has an update."""
SEARCH_RATIO: Final = 4.0
"""Time for finding a step with an update, relative to the time for timing steps."""
PACE_RUNS: Final = 4
MOST_CHARACTERS: Final = 200

Step = Callable[[Any], object]


@dataclass(kw_only=True)
class Attempt:
    """What is known of the step at one batch size.

    Attributes
    ----------
    phase_bytes
        Phase → peak of the allocated memory; empty where memory is not measured.
    reserved_bytes, limit_bytes
        Peak of what torch reserved, and what it could reserve at most.
    step_seconds
        Roughly; ``None`` if the step did not run.
    batch_bytes, most_rss_bytes
        Size of the batch itself, and the highest resident memory of this process until then.
    predicted_bytes
        Peak that the law of the other sizes predicted before the size was run.
    failure
        Why it did not run; empty if it did.
    grown_bytes
        By how much the allocated memory grew in the last step.
    samples
        Seconds per step of each block of the final rounds.
    """

    size: int
    phase_bytes: dict[str, float] = field(default_factory=dict)
    reserved_bytes: float | None = None
    limit_bytes: float | None = None
    step_seconds: float | None = None
    batch_bytes: int = 0
    most_rss_bytes: float = 0.0
    predicted_bytes: float | None = None
    out_of_memory: bool = False
    failure: str = ""
    seconds: float = 0.0
    grown_bytes: float = 0.0
    samples: list[float] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """Whether the step ran."""
        return not self.failure and self.step_seconds is not None

    @property
    def peak_bytes(self) -> float | None:
        """Peak of the allocated memory; ``None`` where memory is not measured."""
        return max(self.phase_bytes.values(), default=None)

    @property
    def free_ratio(self) -> float | None:
        """The free share of the limit at the peak; ``None`` where memory is not measured."""
        if self.reserved_bytes is None or not self.limit_bytes:
            return None
        return 1 - self.reserved_bytes / self.limit_bytes


@dataclass
class StepRunner:
    """Runs the step at different batch sizes.

    Parameters
    ----------
    restore
        Restores what the steps changed.
    updates
        Watches the work of the optimizers.

    Attributes
    ----------
    steps_per_update
        Steps until an optimizer has worked; ``None`` if that was not seen, or not yet.
    """

    torch: Any
    step: Step
    batches: ResizedBatches
    meter: HostMeter
    timeline: HostTimeline
    restore: Callable[[], object]
    updates: OptimizerUpdates
    steps_per_update: int | None = None

    def __post_init__(self) -> None:
        self.worker_pause = WorkerPause()  # there are no workers to pause
        self._steps = MOST_STEPS

    def attempt(self, size: int, *, items_seconds: float, pace_seconds: float) -> Attempt:
        """Run the step with batches of this size, from the state that the notebook has.

        Parameters
        ----------
        items_seconds
            Time for loading items that were not needed for smaller batches.
        pace_seconds
            Time for timing steps, at least one.

        Raises
        ------
        BadRequest
            ``empty_loader``: the loader has no items.
        """
        made, began = Attempt(size=size), time.perf_counter()
        self.updates.current = None
        self.restore()
        self.meter.settle()
        failures = self.meter.out_of_memory_count()
        try:
            self._run(made, items_seconds, pace_seconds)
        except BadRequest as error:
            if error.code != "batch_size_is_fixed":
                raise
            made.failure = error.message  # batches of this size can't be made
        except Exception as error:  # the user's own code  # noqa: BLE001
            made.out_of_memory = is_out_of_memory(self.torch, error)
            made.failure = _described(error, made.out_of_memory)
            forget(error)
        if not made.failure and self.meter.out_of_memory_count() > failures:
            made.out_of_memory = True
            made.failure = Message("out of memory, caught by the step or a library")
        (self.meter.settle if made.failure else self.meter.return_cache)()
        made.limit_bytes = self.meter.limit_bytes()
        made.seconds = time.perf_counter() - began
        return made

    def loop(self, batch: Any) -> Loop:
        """Return a loop that repeats the step on one batch."""
        batches = map(with_new_containers, itertools.repeat(batch))
        return Loop(batches, self.step, timeline=self.timeline, worker_pause=self.worker_pause)

    def _run(self, made: Attempt, items_seconds: float, pace_seconds: float) -> None:
        batch = self.batches.batch(made.size, items_seconds)
        made.batch_bytes = bytes_of(batch)
        loop = self.loop(batch)
        del batch
        # The first step allocates gradients and optimizer state, tries algorithms, compiles.
        self.step(next(loop.batches))
        self.meter.return_cache()
        phases, began = PhasePeaks(self.meter), time.perf_counter()
        self.updates.current = phases
        steps, update = self._steps_with_update(loop, phases, SEARCH_RATIO * pace_seconds)
        self.updates.current = None
        step_seconds = (time.perf_counter() - began) / steps
        made.phase_bytes, made.reserved_bytes = phases.allocated_bytes, phases.reserved_bytes
        made.grown_bytes = phases.grown_bytes
        if self._steps == MOST_STEPS:
            self.steps_per_update = update or None
            self._steps = update or FEWEST_STEPS
        if step_seconds < pace_seconds / PACE_RUNS:
            step_seconds = _fastest_pace(loop, pace_seconds)
        made.step_seconds = step_seconds

    def _steps_with_update(
        self, loop: Loop, phases: PhasePeaks, limit_seconds: float
    ) -> tuple[int, int]:
        """Run at least two steps, and more until an optimizer has worked.

        Return how many were run, and in which of them it did; 0 for none.
        """
        number, update, end = 0, 0, time.perf_counter() + limit_seconds
        for number in range(1, 1 + max(FEWEST_STEPS, self._steps)):
            self.step(next(loop.batches))
            self.timeline.wait()
            phases.end_step()
            if phases.updates and not update:
                update = number
            if number >= FEWEST_STEPS and (update or time.perf_counter() > end):
                break
        return number, update


def _fastest_pace(loop: Loop, limit_seconds: float) -> float:
    """Return the seconds per step without what else the machine does: of several short runs, the fastest."""
    paces: list[float] = []
    end = time.perf_counter() + limit_seconds
    while not paces or (len(paces) < PACE_RUNS and time.perf_counter() < end):
        loop.measure_pace(limit_seconds)
        paces.append(loop.pace.seconds)
    return min(paces)


def _described(error: BaseException, out_of_memory: bool) -> str:
    if out_of_memory:
        return Message("out of memory")
    text = " ".join(str(error).split())[:MOST_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
