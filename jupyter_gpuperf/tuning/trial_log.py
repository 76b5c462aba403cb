"""The trials so far: which one leads, and whether it is fast enough. Standard library only."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.space import Space
from jupyter_gpuperf.tuning.trial import FEWEST_TIMED_BLOCKS, Trial, is_slower
from jupyter_gpuperf.tuning.trial_runner import TrialRunner

WAIT_RATIO: Final = 0.02
"""A step that waits for less than this share of its own time counts as not waiting."""
NEAR_RATIO: Final = 0.02
"""Settings whose times differ by less than this are compared by their cost."""
KEEP_UP_RATIO: Final = 0.95
"""A loader keeps up with a step if a batch takes at most this share of the step's time: times vary."""
SCREEN_TARGET: Final = 0.05
FINAL_SHARE: Final = 0.25
"""Share of the total time reserved for the finalists."""
FINAL_SHARE_WITH_STEP: Final = 0.4


class TrialLog:
    """Runs trials, one per setting, and judges them.

    Parameters
    ----------
    left_seconds
        Returns the seconds that are left.
    """

    def __init__(self, space: Space, bench: TrialRunner, left_seconds: Callable[[], float]) -> None:
        self.space, self.bench, self.left = space, bench, left_seconds
        self.all_seconds = left_seconds()
        self.trials: dict[Setting, Trial] = {}
        self.cut_short = False

    def measure_loading(self, setting: Setting) -> Trial | None:
        """Return a setting's trial; run it now if there is none. ``None`` when no time is left."""
        if setting in self.trials:
            return self.trials[setting]
        share = FINAL_SHARE if self.space.step is None else FINAL_SHARE_WITH_STEP
        # The first trial may be the only one there is time for.
        needed = self.least_seconds(setting) if self.trials else 0.0
        if self.left() - needed < share * self.all_seconds:
            self.cut_short = True
            return None
        trial = self.bench.measure_loading(
            setting,
            seconds=min(2.0, max(0.3, self.all_seconds / 60)),
            target_ratio=SCREEN_TARGET,
            best=min(self.measured(), key=load_seconds, default=None),
        )
        self.trials[setting] = trial
        self.cut_short |= trial.out_of_time
        return trial

    def least_seconds(self, setting: Setting) -> float:
        """Return the minimum seconds of a trial, without its start-up: the prefetched batches, then the blocks."""
        if not setting.num_workers:
            return (2 + FEWEST_TIMED_BLOCKS) * self.space.batch_seconds
        rounds = 1 + (setting.prefetch_factor or 0) + FEWEST_TIMED_BLOCKS
        return rounds * self.estimated_seconds_per_round(setting.num_workers)

    def least_seconds_with_step(self, setting: Setting, step_seconds: float) -> float:
        """Return the minimum seconds of a trial with the training step, without its start-up."""
        workers = max(1, setting.num_workers)
        load = self.estimated_seconds_per_round(workers)
        if not setting.num_workers:
            return (1 + FEWEST_TIMED_BLOCKS) * (load + step_seconds)
        return load + FEWEST_TIMED_BLOCKS * max(load, workers * step_seconds)

    def estimated_seconds_per_round(self, workers: int) -> float:
        """Return the seconds that all workers take to load one batch each, estimated from the probe."""
        crowded = max(1.0, workers * self.space.computing / max(1.0, self.space.cpus))
        return crowded * self.space.batch_seconds

    def measure_again(self, trial: Trial) -> None:
        """Repeat a trial that something else has probably disturbed. Keep the old one if the new one fails."""
        del self.trials[trial.setting]
        made = self.measure_loading(trial.setting)
        if made is None or made.error is not None:
            self.trials[trial.setting] = trial
        else:
            made.roles |= trial.roles

    def measured(self) -> list[Trial]:
        """Return the trials that have a rate."""
        return [each for each in self.trials.values() if each.error is None and each.blocks]

    def epoch_batch_seconds(self, trial: Trial) -> float:
        """Return an epoch's seconds per batch, to compare trials; includes the start-up as far as it is known."""
        each = trial.step_seconds_with_wait(self.space.step_seconds)
        return each + (trial.start_seconds / self.space.batches if self.space.batches else 0.0)

    def is_fast_enough(self, trial: Trial | None) -> bool:
        """Return whether a trial's setting would keep up with the step, judging by its rate."""
        goal = self.space.step_seconds
        if trial is None or goal is None or trial.error is not None or not trial.blocks:
            return False
        bound = KEEP_UP_RATIO if trial.setting.num_workers else WAIT_RATIO
        return load_seconds(trial) <= bound * goal

    def leader(self, seconds_of: Callable[[Trial], float] | None = None) -> Trial | None:
        """Return the best trial so far: the cheapest that keeps up with the step, or :meth:`cheapest_of_fastest`."""
        enough = min(filter(self.is_fast_enough, self.measured()), key=cost_of, default=None)
        return enough or self.cheapest_of_fastest(self.measured(), seconds_of)

    def cheapest_of_fastest(
        self, trials: Sequence[Trial], seconds_of: Callable[[Trial], float] | None = None
    ) -> Trial | None:
        """Return the cheapest of the trials that are about as fast as the fastest; ``None`` without trials."""
        if not trials:
            return None
        seconds_of = seconds_of or self.epoch_batch_seconds
        fastest = min(trials, key=seconds_of)
        most = (1 + NEAR_RATIO) * seconds_of(fastest)
        near = [one for one in trials if seconds_of(one) <= most and not is_slower(one, fastest)]
        return min(near, key=cost_of)


def cost_of(trial: Trial) -> tuple[object, ...]:
    """Return the sort key for the resources that a trial's setting takes."""
    return trial.setting.cost


def load_seconds(trial: Trial) -> float:
    """Return the mean seconds per batch while nothing else is done."""
    return statistics.fmean(trial.blocks)
