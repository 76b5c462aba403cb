"""Add up steps into the compact records that are sent to the server."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from jupyter_gpuperf.loops.clock import LoopClock, StepTimes
from jupyter_gpuperf.loops.phase_clock import FollowedStep
from jupyter_gpuperf.schemas.phases import PHASES, FollowedSteps, PhaseSeconds
from jupyter_gpuperf.schemas.step_bins import BINS_PER_OCTAVE, SHORTEST_STEP_SECONDS
from jupyter_gpuperf.schemas.training import StepTally
from jupyter_gpuperf.schemas.work import WorkSum, summed

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
        followed=followed_steps(list(_taken(clock.phases.steps))),
        bins=dict(Counter(bin_of(step.ended - step.began) for step in plain)),
        **(readings[-1]._asdict() if readings else {}),
    )


def followed_steps(steps: Sequence[FollowedStep]) -> FollowedSteps | None:
    """Add up the phases of steps, of those with a marked forward pass if there are any; ``None`` without steps."""
    steps = [each for each in steps if each.has_forward] or steps
    if not steps:
        return None
    sums = {}
    spans = [span for step in steps for span in step.spans]
    for phase in PHASES:
        own = [span for span in spans if span.phase == phase]
        if own:
            gpu = [each.gpu_seconds for each in own if each.gpu_seconds is not None]
            gpu_seconds = math.fsum(gpu) if len(gpu) == len(own) else None
            sums[phase] = PhaseSeconds(
                host_seconds=math.fsum(each.host_seconds for each in own),
                gpu_seconds=gpu_seconds,
                # While the loop waits for data it queues nothing, so the GPU is idle between the two events.
                gpu_idle_seconds=gpu_seconds if phase == "data" else None,
            )
    return FollowedSteps(
        count=len(steps),
        step_seconds=math.fsum(each.seconds for each in steps),
        has_forward=steps[0].has_forward,
        phases=sums,
        work=summed(
            {name: WorkSum(amount=amount, steps=1) for name, amount in step.work.items()}
            for step in steps
        ),
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
