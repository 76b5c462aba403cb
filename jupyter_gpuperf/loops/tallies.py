"""Add up steps into the compact records that are sent to the server."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, TypeVar

from jupyter_gpuperf.loops.clock import LoopClock, StepTimes
from jupyter_gpuperf.schemas.training import (
    BINS_PER_OCTAVE,
    SHORTEST_STEP_SECONDS,
    StepTally,
)

MOST_AT_ONCE: Final = 256
"""Maximum number of steps added up at once: meanwhile, the loop may wait for the interpreter lock."""

T = TypeVar("T")


def tally_of(clock: LoopClock, wall_offset_seconds: float) -> StepTally | None:
    """Remove up to :data:`MOST_AT_ONCE` steps from a clock and return their sums; ``None`` if there are none.

    Parameters
    ----------
    wall_offset_seconds
        Seconds to add to the clock's times to get Unix times.
    """
    steps = [StepTimes(*each) for each in _taken(clock.steps)]
    if not steps:
        return None
    plain = [step for step in steps if not step.interrupted]
    readings = [step.memory for step in steps if step.memory is not None]
    idle = [] if clock.idle_timer is None else list(_taken(clock.idle_timer.durations))
    return StepTally(
        loader=clock.info.id,
        began_seconds=steps[0].began + wall_offset_seconds,
        ended_seconds=steps[-1].ended + wall_offset_seconds,
        count=len(plain),
        training_count=sum(step.training for step in plain),
        interrupted_count=len(steps) - len(plain),
        samples_count=float(sum(step.samples for step in plain)),
        step_seconds=math.fsum(step.ended - step.began for step in plain),
        wait_seconds=math.fsum(step.given - step.began for step in plain),
        event_step_seconds=math.fsum(step for _, step in idle),
        event_idle_seconds=math.fsum(idle_seconds for idle_seconds, _ in idle),
        epoch_batches=clock.epoch_batches,
        bins=dict(Counter(bin_of(step.ended - step.began) for step in plain)),
        **(readings[-1]._asdict() if readings else {}),
    )


def bin_of(seconds: float) -> int:
    """Return the index of the histogram bin that contains a step time; bin widths grow exponentially."""
    if seconds <= SHORTEST_STEP_SECONDS:
        return 0
    return math.floor(BINS_PER_OCTAVE * math.log2(seconds / SHORTEST_STEP_SECONDS))


def _taken(waiting: deque[T]) -> Iterator[T]:
    # The loop may append items meanwhile, in its own thread; they are taken next time.
    for _ in range(min(MOST_AT_ONCE, len(waiting))):
        yield waiting.popleft()
