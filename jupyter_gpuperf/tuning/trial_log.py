"""The trials so far: which one leads, and whether it is fast enough. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.space import Space
from jupyter_gpuperf.tuning.trial import FEWEST_TIMED_BLOCKS, Trial, is_slower
from jupyter_gpuperf.tuning.trial_runner import TrialRunner

NEAR_RATIO: Final = 0.01
"""Settings whose times differ by less than this are compared by their cost."""
LOSS_RATIO: Final = 0.03
"""A cheaper setting may cost at most this share of the time, even if the intervals overlap because they are wide."""
WAIT_RATIO: Final = 0.02
"""A loop that loses less than this share of its time to data keeps up."""
SCREEN_TARGET: Final = 0.05
FINAL_SHARE: Final = 0.3
"""Share of the total time reserved for the finalists."""
MOST_FINAL_SHARE: Final = 0.5
"""Share that is reserved at most, where the current setting and the leader take longer to measure in turn."""
FEWEST_FINAL_ROUNDS: Final = 5


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

    def measure(self, setting: Setting, *, share: float = FINAL_SHARE) -> Trial | None:
        """Return a setting's trial; run it now if there is none. ``None`` when no more than is reserved would be left."""
        if setting in self.trials:
            return self.trials[setting]
        # The first trial may be the only one there is time for.
        needed = self.least_seconds(setting) if self.trials else 0.0
        if self.left() - needed < self._reserved_seconds(share):
            self.cut_short = True
            return None
        trial = self.bench.measure(
            setting,
            seconds=min(2.0, max(0.3, self.all_seconds / 60)),
            target_ratio=SCREEN_TARGET,
            best=self.fastest(),
        )
        self.trials[setting] = trial
        self.cut_short |= trial.out_of_time
        return trial

    def _reserved_seconds(self, share: float) -> float:
        """Return the seconds that a trial must leave: the share, or what the first final round takes if that is more."""
        if share < FINAL_SHARE:  # there has been a final round
            return share * self.all_seconds
        leader = self.leader()
        trials = [each for each in self.measured() if each is leader or "present" in each.roles]
        most = MOST_FINAL_SHARE * self.all_seconds
        return max(share * self.all_seconds, min(most, self.round_seconds(trials)))

    def round_seconds(self, trials: Sequence[Trial]) -> float:
        """Return the least seconds to measure trials in turn: the starts, and the fewest rounds."""
        step = self.space.step_seconds or 0.0
        starts = sum(
            (each.startup_seconds or 0.0) + self.least_seconds(each.setting) for each in trials
        )
        blocks = sum(
            max(2, each.setting.num_workers) * max(each.mean_seconds, step) for each in trials
        )
        return starts + FEWEST_FINAL_ROUNDS * blocks

    def least_seconds(self, setting: Setting) -> float:
        """Return the least seconds of a trial without its start: the first batches and the fewest blocks, estimated."""
        workers = max(1, setting.num_workers)
        crowded = max(1.0, workers * self.space.computing / max(1.0, self.space.cpus))
        load, step = crowded * self.space.batch_seconds, self.space.step_seconds or 0.0
        if not setting.num_workers:
            return (2 + FEWEST_TIMED_BLOCKS) * (load + step)
        return (1 + (setting.prefetch_factor or 0)) * load + FEWEST_TIMED_BLOCKS * max(
            load, workers * step
        )

    def measure_again(self, trial: Trial) -> None:
        """Repeat a trial that something else has probably disturbed. Keep the old one if the new one fails."""
        del self.trials[trial.setting]
        made = self.measure(trial.setting)
        if made is None or made.error is not None:
            self.trials[trial.setting] = trial
        else:
            made.roles |= trial.roles

    def measured(self) -> list[Trial]:
        """Return the trials that have a rate."""
        return [each for each in self.trials.values() if each.error is None and each.blocks]

    def fastest(self) -> Trial | None:
        """Return the trial with the shortest mean time; ``None`` without trials."""
        return min(self.measured(), key=lambda trial: trial.mean_seconds, default=None)

    def epoch_seconds(self, trial: Trial) -> float:
        """Return the figure to compare: an epoch's seconds per batch, including its start as far as known."""
        start = trial.start_seconds / self.space.batches if self.space.batches else 0.0
        return trial.mean_seconds + start

    def leader(self, seconds_of: Callable[[Trial], float] | None = None) -> Trial | None:
        """Return the best trial so far; see :meth:`cheapest_of_fastest`."""
        return self.cheapest_of_fastest(self.measured(), seconds_of)

    def cheapest_of_fastest(
        self, trials: Sequence[Trial], seconds_of: Callable[[Trial], float] | None = None
    ) -> Trial | None:
        """Return the cheapest of the trials that can't be distinguished from the fastest; ``None`` without trials."""
        near = self.nearly_fastest(trials, seconds_of)
        return min(near, key=cost_of, default=None)

    def nearly_fastest(
        self, trials: Sequence[Trial], seconds_of: Callable[[Trial], float] | None = None
    ) -> list[Trial]:
        """Return the trials that can't be distinguished from the fastest of them, or hardly differ from it.

        None of them is clearly slower than the current setting, or than a recipe by more than :data:`NEAR_RATIO`: a
        recommendation must not slow anybody down.
        """
        seconds_of = seconds_of or self.epoch_seconds
        fastest = min(trials, key=seconds_of, default=None)
        if fastest is None:
            return []
        least = seconds_of(fastest)
        named = [each for each in trials if each.roles]
        return [
            each
            for each in trials
            if seconds_of(each) <= (1 + NEAR_RATIO) * least
            or (seconds_of(each) <= (1 + LOSS_RATIO) * least and not is_slower(each, fastest))
            if not any(_loses_to(each, other) for other in named)
        ] or [fastest]


def _loses_to(trial: Trial, named: Trial) -> bool:
    """Return whether a trial is clearly slower than one with a role; for a recipe, by more than :data:`NEAR_RATIO`."""
    tolerated = 0.0 if "present" in named.roles else NEAR_RATIO
    return is_slower(trial, named) and trial.mean_seconds > (1 + tolerated) * named.mean_seconds


def keeps_up(trial: Trial) -> bool:
    """Return whether the loop is as fast as with batches that are ready, or hardly slower; ``False`` without a step."""
    loop, ready = trial.batch_seconds, trial.ready_seconds
    if loop is None or ready is None:
        return False
    return loop["low"] <= ready["high"] or loop["value"] <= (1 + WAIT_RATIO) * ready["value"]


def cost_of(trial: Trial) -> tuple[object, ...]:
    """Return the sort key for the resources that a trial's setting takes."""
    return trial.setting.cost
