"""Search for the best number of workers: fit a model to a few trials, and try what it predicts and the neighbors.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.model import WorkerTimeModel, fit_model
from jupyter_gpuperf.tuning.trial import Trial, is_slower
from jupyter_gpuperf.tuning.trial_log import NEAR_RATIO, TrialLog, keeps_up

MOST_TRIALS: Final = 9
FIRST_COUNTS: Final = (0, 1, 2)
GROWTH_LIMIT: Final = 4
"""Try at most this many times the largest number tried so far: trials of a few workers don't show what limits many."""
FINENESS: Final = 8
"""A number of workers that differs from a tried one by at most an eighth of itself is not tried."""
HOPELESS_RATIO: Final = 1.1
"""Stop when even the predicted best takes longer than this multiple of the time without workers."""

KEEP_UP_RATIO: Final = 0.95
"""To keep up with a step, a loader must take at most this share of its time, because times vary."""
FAR_RATIO: Final = 2.5
"""A first number of workers that would take this multiple of the fastest time is not tried: its trial is slow, and tells little."""
FALLS_SHORT_RATIO: Final = 1.1
"""A trial predicted to beat the best by this factor is measured again: it was disturbed, or the model is wrong."""
FEWEST_OTHERS: Final = 2


class WorkerSearch:
    """Varies only the number of workers; all other settings come from the space's base."""

    def __init__(self, log: TrialLog) -> None:
        self._log, self._space = log, log.space
        self._again: set[Setting] = set()

    def run(self, first: Sequence[int] = FIRST_COUNTS) -> None:
        """Search until the best number's neighbors, or the fewest workers that keep up with the step, are known.

        Parameters
        ----------
        first
            Numbers of workers to start with; empty when existing trials are enough for a model.
        """
        for workers in first:
            if workers > self._space.most_workers:
                break
            trial = (
                None if self._is_far_too_few(workers) else self._log.measure(self._setting(workers))
            )
            if trial is not None and keeps_up(trial):
                return
        for _ in range(MOST_TRIALS):
            workers_next = self._next() or self._as_many_as_lead()
            if workers_next is not None:
                if self._log.measure(self._setting(workers_next)) is None:
                    return
            elif not self._repeat_disturbed():
                return

    def _setting(self, workers: int) -> Setting:
        return self._space.with_workers(workers)

    def _is_far_too_few(self, workers: int) -> bool:
        """Return whether so few workers can't come near the fastest so far, even if each runs undisturbed."""
        fastest = self._log.fastest()
        if not workers or fastest is None:
            return False
        return self._space.batch_seconds / workers > FAR_RATIO * fastest.mean_seconds

    def _curve(self) -> dict[int, Trial]:
        """Return workers → trial, for the trials that differ from the base only in workers."""
        found = {
            each.setting.num_workers: each
            for each in self._log.measured()
            if each.setting == self._setting(each.setting.num_workers)
        }
        return dict(sorted(found.items()))

    def _model(self, curve: Mapping[int, Trial], *, without: int = 0) -> WorkerTimeModel:
        # Fall back to trials that differ in other settings: they still show the effect of workers.
        others = {each.setting.num_workers: each for each in self._log.measured()}
        known = {**others, **curve}.items()
        # Where the loop keeps up, its time is that of the step, not of the loader.
        times = {
            count: each.mean_seconds
            for count, each in known
            if count not in (0, without) and not keeps_up(each)
        }
        space = self._space
        times = times or {1: space.batch_seconds}
        return fit_model(times, cpus=space.cpus, computing=space.computing)

    def _next(self) -> int | None:
        """Return the number to try next: the model's best, then neighbors; ``None`` when nothing is left to try."""
        curve = self._curve()
        if not self._log.measured():
            return None
        model = self._model(curve)
        if self._is_hopeless(model, curve):
            return None
        workers = [count for count in curve if count]
        enough = [count for count in workers if keeps_up(curve[count])]
        if not enough and self._is_new(workers_next := self._predicted(model)):
            return workers_next
        if not workers:
            return None
        best = min(workers, key=lambda count: curve[count].mean_seconds)
        above = None if enough else self._above(best, curve)
        return above if above is not None else self.fewer_than(curve[best])

    def _predicted(self, model: WorkerTimeModel) -> int:
        most, goal = self._space.most_workers, self._space.step_seconds
        found = model.fewest_workers(most, KEEP_UP_RATIO * goal) if goal is not None else None
        tried = max((each.setting.num_workers for each in self._log.measured()), default=1)
        return min(found or model.best_workers(most), GROWTH_LIMIT * max(1, tried))

    def _is_hopeless(self, model: WorkerTimeModel, curve: Mapping[int, Trial]) -> bool:
        if 0 not in curve or len(curve) <= len(FIRST_COUNTS) - 1:
            return False
        most = self._space.most_workers
        return model.seconds(model.best_workers(most)) > HOPELESS_RATIO * curve[0].mean_seconds

    def _above(self, best: int, curve: Mapping[int, Trial]) -> int | None:
        """Return a larger number than the best so far, if it may be better and is new."""
        more = min((count for count in curve if count > best), default=None)
        near = max(1, best // 4)
        if more is not None:
            return (
                middle
                if more - best > near and self._is_new(middle := (best + more) // 2)
                else None
            )
        fewer = max((count for count in curve if count < best), default=None)
        if fewer is not None and not is_slower(curve[fewer], curve[best]):
            return None  # more workers have stopped helping
        further = min(self._space.most_workers, best + max(1, best // 2))
        return further if self._is_new(further) else None

    def fewer_than(self, best: Trial) -> int | None:
        """Return a new number between the fewest that can't be distinguished from the best and the most that are too few."""
        curve = self._curve()
        alike = [
            each.setting.num_workers for each in self._log.nearly_fastest([*curve.values(), best])
        ]
        reached = min(alike, default=0)
        failed = max((count for count in curve if count < reached), default=0)
        middle = (failed + reached) // 2
        return middle if failed < middle < reached and self._is_new(middle) else None

    def _is_new(self, workers: int) -> bool:
        alike = (each for each in self._log.trials if each == self._setting(each.num_workers))
        fits = 0 < workers <= self._space.most_workers
        return fits and all(FINENESS * abs(workers - each.num_workers) > workers for each in alike)

    def _as_many_as_lead(self) -> int | None:
        """Return the fastest trial's number of workers if the base was not tried with it: it may explain the lead."""
        curve = self._curve().values()
        if not curve:
            return None
        lead = min(self._log.measured(), key=_seconds)
        workers = lead.setting.num_workers
        leads = (1 + NEAR_RATIO) * lead.mean_seconds < min(map(_seconds, curve))
        return workers if leads and self._is_new(workers) else None

    def _repeat_disturbed(self) -> bool:
        """Repeat, once, a trial that others show to be too slow and thus disturbed. Return whether there was one."""
        curve = {count: each for count, each in self._curve().items() if count}
        for count, trial in curve.items():
            if trial.setting not in self._again and (
                _is_bent(count, curve) or self._falls_short(count, curve)
            ):
                self._again.add(trial.setting)
                self._log.measure_again(trial)
                return True
        return False

    def _falls_short(self, count: int, curve: Mapping[int, Trial]) -> bool:
        """Return whether a model of the other trials predicts that this one is by far the best."""
        others = {each: trial for each, trial in curve.items() if each != count}
        if len(others) < FEWEST_OTHERS or keeps_up(curve[count]):
            return False
        model = self._model(others, without=count)
        best = min(map(_seconds, curve.values()))
        return FALLS_SHORT_RATIO * model.seconds(count) < best


def _is_bent(count: int, curve: Mapping[int, Trial]) -> bool:
    """Return whether a number of workers is clearly slower than both tried numbers next to it."""
    counts = sorted(curve)
    place = counts.index(count)
    sides = [curve[each].batch_seconds for each in (*counts[:place][-1:], *counts[place + 1 :][:1])]
    low = (curve[count].batch_seconds or {"low": 0.0})["low"]
    return len(sides) == 2 and all(side is not None and low > side["high"] for side in sides)


def _seconds(trial: Trial) -> float:
    return trial.mean_seconds
