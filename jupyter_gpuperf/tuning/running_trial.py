"""A running trial: its loader, the loop over it, its workers, and how it ends."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.loop_blocks import EndlessBatches, Loop
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.tuning.safety import Watchdog, close, describe_failure
from jupyter_gpuperf.tuning.trial_setup import TrialSetup

PACE_SHARE: Final = 0.3
"""Share of a trial's time for using up the first batches, and for estimating the pace."""
ROUND_RATIO: Final = 1.5
"""Margin for the estimated time of a round of the workers, which the pace must include as a whole."""
SLOW_BATCH_SECONDS: Final = 0.5
"""When batches take longer than this, a trial ends without waiting for the workers' current batches."""
CLOSING_SECONDS: Final = 2.0
"""Time for workers to end by themselves, while there is time."""


class RunningTrial:
    """A setting whose loop runs in blocks. Between the blocks, its workers are paused.

    Parameters
    ----------
    setup
        What all trials share.
    """

    def __init__(self, setup: TrialSetup, setting: Setting) -> None:
        self.setting, self._setup = setting, setup
        self.processes: list[Any] = []
        self.shared_memory_bytes: int | None = None
        self._loader: Any = None
        self._iterator: Any = None
        self._watchdog: Watchdog | None = None
        self._shared_before = resources.shared_memory_free_bytes()

    def start(self, seconds: float, timeout_seconds: float) -> None:
        """Start the workers, use up the first batches, and estimate the loop's pace.

        Parameters
        ----------
        seconds
            Time for the whole trial, without the start of the workers.
        timeout_seconds
            After this time, torch gives up waiting for a batch.
        """
        setup, setting = self._setup, self.setting
        self._loader, self.processes = setup.subject.make_loader(setting, timeout_seconds)
        self._batches = EndlessBatches(self._loader, on_start=self._watch)
        self.loop = Loop(
            self._batches,
            setup.step_of(setting),
            timeline=setup.timeline,
            worker_pause=setup.worker_pause,
            workers=setting.num_workers,
            prefetched=1 + setting.in_flight_batches if setting.num_workers else 0,
        )
        round_seconds = ROUND_RATIO * setup.round_seconds(setting.num_workers)
        self.loop.warm_up(PACE_SHARE * seconds)
        self.loop.measure_pace(max(PACE_SHARE * seconds, round_seconds))

    def restart_seconds(self, timeout_seconds: float) -> float:
        """Return the seconds from the start of the second epoch to its first batch."""
        setup = self._setup
        self._loader, self.processes = setup.subject.make_loader(self.setting, timeout_seconds)
        for _ in range(2):
            began = setup.timeline.clock()
            self._watch(iter(self._loader))
            next(self._iterator)
        return setup.timeline.clock() - began

    def block(self) -> float:
        """Run a block, and return its seconds per step. A block in which the data started anew is run again."""
        starts = self._batches.starts
        seconds = self.loop.block()
        return seconds if self._batches.starts == starts else self.loop.block()

    def failure(self, error: BaseException) -> str:
        """Return how the trial failed, in one line."""
        if isinstance(error, GpuPerfError):
            return error.message
        return describe_failure(error, self.processes, self._watchdog)

    def end(self, *, at_once: bool, deadline: float | None = None) -> None:
        """Stop the watchdog, and close the iterator and the workers.

        Parameters
        ----------
        at_once
            Whether to kill the workers instead of waiting until each has finished its batch.
        deadline
            Until when to wait, by ``time.perf_counter()``; ``None`` for the usual time.
        """
        if deadline is None:
            deadline = time.perf_counter() + CLOSING_SECONDS
        seconds = max(0.0, min(deadline - time.perf_counter(), self._setup.clock.left()))
        at_once |= self._setup.probe.batch_seconds > SLOW_BATCH_SECONDS or seconds == 0
        self._setup.worker_pause.resume([each.pid for each in self.processes])
        if self._watchdog is not None:
            self._watchdog.stop()
            least = self._watchdog.least_shared_bytes
            if least is not None and self._shared_before is not None:
                self.shared_memory_bytes = max(0, self._shared_before - least)
        close(self._iterator, self.processes, at_once=at_once, seconds=seconds)
        with suppress(AttributeError):
            self._loader._iterator = None  # kept by persistent workers
        self._iterator = self._loader = None

    def _watch(self, iterator: Any) -> None:
        """Remember the current iterator, and watch its workers before the first batch can fill the memory."""
        self._iterator = iterator
        if self.processes and self._watchdog is None:
            self._watchdog = Watchdog(self.processes, self._setup.budget)
            self._watchdog.start()
