"""What all trials of a tuning share. Standard library only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.loaders.batches import map_tensors, with_new_containers
from jupyter_gpuperf.loaders.device_timeline import HostTimeline
from jupyter_gpuperf.loaders.loop_blocks import Loop
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.loaders.worker_pause import WorkerPause
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.probe import Probe
from jupyter_gpuperf.tuning.request import Step
from jupyter_gpuperf.tuning.time_limit import Countdown

MOST_STEPS: Final = 1000
"""Maximum number of steps in a timed block."""


@dataclass
class TrialSetup:
    """The loader to tune, the step, and where and how they are timed.

    Parameters
    ----------
    step
        The training step; ``None`` to measure the loader alone.
    ready
        Some batches, to run the step without waiting for data; empty without a step.
    timeline
        Where the steps are timed.
    to_gpu
        Whether batches are copied to the GPU when there is no step.
    clock
        Countdown for the whole tuning; also reports progress.
    """

    subject: TuningSubject
    probe: Probe
    budget: Budget
    clock: Countdown
    step: Step | None = None
    ready: Sequence[Any] = ()
    timeline: HostTimeline = field(default_factory=HostTimeline)
    to_gpu: bool = False

    def __post_init__(self) -> None:
        self.worker_pause = WorkerPause()
        self.ready_seconds: Interval | None = None
        """Seconds of a step whose batch is ready; ``None`` without a step, or before it is measured."""

    def step_of(self, setting: Setting) -> Step:
        """Return what a trial does with each batch."""
        if self.step is not None:
            return self.step
        if not self.to_gpu:
            return lambda batch: None
        # As training does; that is the purpose of pinned memory.
        move = {"device": "cuda", "non_blocking": setting.pin_memory}
        return lambda batch: map_tensors(lambda each: each.to(**move), batch)

    def ready_loop(self) -> Loop:
        """Return a loop that runs the step on ready batches, over and over."""
        batches = map(with_new_containers, itertools.cycle(self.ready))
        assert self.step is not None
        return Loop(batches, self.step, timeline=self.timeline, worker_pause=self.worker_pause)

    def round_seconds(self, workers: int) -> float:
        """Return the seconds in which each worker loads a batch and the loop uses it, estimated from the probe."""
        crowded = max(1.0, workers / max(1.0, self.budget.cpus))
        step = max(1, workers) * (self.ready_seconds or {"value": 0.0})["value"]
        load = crowded * self.probe.batch_seconds
        return max(load, step) if workers else load + step
