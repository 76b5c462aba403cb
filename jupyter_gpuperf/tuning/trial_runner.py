"""Run trials for real: the user's loop, with a loader that is watched, limited in time, and closed on return.

A trial runs the training step as the loop does: nothing waits for the GPU after a step, so the host prepares the next
batch meanwhile. Without a step, the batches are only copied to the GPU.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.loaders.block_planning import plan
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.measure.statistics import mean_interval
from jupyter_gpuperf.measure.stopping import StopRule
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.feasibility import infeasible_reason
from jupyter_gpuperf.tuning.final_round import FinalRound
from jupyter_gpuperf.tuning.running_trial import RunningTrial
from jupyter_gpuperf.tuning.time_limit import TimeIsUp
from jupyter_gpuperf.tuning.trial import FEWEST_TIMED_BLOCKS, Trial, Usage, interval_of, is_slower
from jupyter_gpuperf.tuning.trial_setup import MOST_STEPS, TrialSetup

START_SECONDS: Final = 5.0
FRESH_START_SECONDS: Final = 20.0
"""Start limit for workers that are not forked: each imports torch first."""


@dataclass
class TrialRunner(TrialSetup):
    """Measures settings of one subject.

    Parameters
    ----------
    most_workers
        Maximum useful number of workers: more would repeat a stream or have nothing to do. ``None`` without a limit.
    on_trial
        Called with each trial when it has ended.
    """

    most_workers: int | None = None
    on_trial: Callable[[Trial], object] = lambda trial: None

    def measure_ready(self, seconds: float) -> None:
        """Measure the step on ready batches: no setting can be faster."""
        loop = self.ready_loop()
        loop.measure_pace(seconds / 4)
        loop.steps = plan({"": loop.pace}, seconds / 2, MOST_STEPS).steps[""]
        end, blocks = (
            time.perf_counter() + seconds,
            [loop.block() for _ in range(FEWEST_TIMED_BLOCKS)],
        )
        while time.perf_counter() < end:
            blocks.append(loop.block())
        self.ready_seconds = interval_of(blocks)

    def measure(
        self, setting: Setting, *, seconds: float, target_ratio: float, best: Trial | None = None
    ) -> Trial:
        """Measure the seconds per step with a setting.

        Parameters
        ----------
        seconds
            Time for the blocks; at least three are taken, however long they last.
        best
            The best trial so far. A trial that is clearly slower is stopped early.
        """
        trial = self._new_trial(setting)
        if trial.error is not None:
            return trial
        run = RunningTrial(self, setting)
        with self._limited(trial, run, seconds) as limit:
            run.start(seconds, max(1.0, limit))
            trial.startup_seconds = run.loop.startup_seconds
            # Half of the time, so that enough blocks for a good interval fit.
            run.loop.steps = plan({"": run.loop.pace}, seconds / 2, MOST_STEPS).steps[""]
            rule = StopRule(
                target_ratio=target_ratio, limit_seconds=seconds, interval_of=mean_interval
            )
            trial.blocks = rule.blocks
            usage, began = Usage([each.pid for each in run.processes]), time.perf_counter()
            while len(rule.blocks) < FEWEST_TIMED_BLOCKS or not rule.done:
                rule.add(run.block())
                self.clock.report(setting.describe())
                is_known = len(rule.blocks) >= FEWEST_TIMED_BLOCKS
                if best is not None and is_known and is_slower(trial, best):
                    trial.aborted = True
                    break
            trial.cpu_cores = usage.cpu_seconds() / (time.perf_counter() - began)
            trial.machine_busy_ratio = usage.machine_busy_ratio()
            trial.storage_bytes = usage.storage_bytes() / (len(rule.blocks) * run.loop.steps)
            trial.memory_bytes = usage.memory_bytes()
        trial.shared_memory_bytes = run.shared_memory_bytes
        trial.ready_seconds = self.ready_seconds
        self.on_trial(trial)
        return trial

    def in_turn(self, trials: Sequence[Trial], *, seconds: float, target_ratio: float) -> bool:
        """Measure trials again, in turn; see :class:`FinalRound`. Return whether all have new blocks."""
        return FinalRound(self, trials, seconds).run(target_ratio)

    def fit_together(self, settings: Sequence[Setting]) -> bool:
        """Return whether the workers of all these settings may exist at the same time."""
        return infeasible_reason(*settings, probe=self.probe, budget=self.budget) is None

    def restart_seconds(self, setting: Setting) -> float | None:
        """Return the seconds from the start of another epoch with persistent workers to its first batch."""
        trial, run = self._new_trial(setting), RunningTrial(self, setting)
        seconds = None
        with self._limited(trial, run, 0.0) as limit:
            # Subtract batches already in flight; a real epoch ends with none.
            pending = (setting.in_flight_batches / setting.num_workers) * self.probe.batch_seconds
            waited = run.restart_seconds(max(1.0, limit)) - pending
            seconds = max(self.probe.batch_seconds, waited)
        return seconds

    def _new_trial(self, setting: Setting) -> Trial:
        reason = infeasible_reason(setting, probe=self.probe, budget=self.budget)
        trial = Trial(setting=setting, error=reason)
        most = self.most_workers
        if most is not None and setting.num_workers > most:
            trial.error = Message("not tried: the stream can use {count} at most", count=most)
        return trial

    @contextlib.contextmanager
    def _limited(self, trial: Trial, run: RunningTrial, seconds: float) -> Iterator[float]:
        """Limit a trial's time, note its failure, and end its workers."""
        self.clock.report(trial.setting.describe())
        allowed = seconds + self._expected_seconds(trial.setting)
        limit = min(self.clock.left(), allowed)
        try:
            with self.clock.alarm.within(limit):
                yield limit
        except TimeIsUp:
            if len(trial.blocks) < 2:
                trial.out_of_time = limit < allowed
                template = "too slow: not enough batches within {seconds:.0f} s"
                if trial.out_of_time:
                    template = "not enough batches in the remaining {seconds:.0f} s"
                trial.error = Message(template, seconds=limit)
        except Exception as error:  # from the user's code or one of its workers  # noqa: BLE001
            trial.error = run.failure(error)
        finally:
            with self.clock.alarm.suspended():
                run.end(at_once=trial.error is not None)

    def _expected_seconds(self, setting: Setting) -> float:
        """Return the seconds that the start-up, the discarded batches and the minimum number of blocks may take."""
        start = START_SECONDS if setting.start_method in (None, "fork") else FRESH_START_SECONDS
        rounds = 3 + FEWEST_TIMED_BLOCKS + (setting.prefetch_factor or 0)
        return start + 2 * rounds * self.round_seconds(setting.num_workers)
