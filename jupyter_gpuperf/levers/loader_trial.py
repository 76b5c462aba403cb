"""Try the loader's settings: only if batches that are ready would gain anything, and on top of all other levers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import NotApplicable, Situation
from jupyter_gpuperf.levers.loader_lever import NAME, TunedLoader, with_tuned_loader
from jupyter_gpuperf.levers.ready_batches import ReadyLoaders
from jupyter_gpuperf.levers.trials import Trials
from jupyter_gpuperf.levers.versions import Versions
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.timing import Variant

LEAST_GAIN: Final = 1.05
"""If ready batches gain less than this, no loader is tuned."""
TUNER_SHARE: Final = 0.22
"""Share of the time limit for tuning a loader."""
LEAST_SECONDS: Final = 4.0
"""The tuner can do nothing in less."""
TRIAL_RUNS: Final = 6
"""For so many runs of the best version, time is kept for comparing it with the tuned one."""


class LoaderTrial:
    """The trial of the loader from which a cell draws."""

    def __init__(
        self, trials: Trials, versions: Versions, situation: Situation, ready: ReadyLoaders
    ) -> None:
        self._trials, self._versions = trials, versions
        self._situation, self._ready = situation, ready

    def step_seconds(self, variant: Variant) -> float:
        """Return the time per step of a version, after running it until it is warm.

        Raises
        ------
        TrialEnded
            It failed, or the time was up.
        """
        self._trials.warm_up(variant)
        return self._trials.step_seconds(variant)

    def tuned(
        self,
        name: str,
        code: CellCode,
        best: Variant,
        *,
        ready_seconds: float,
        progress: Callable[[float, str], None],
    ) -> TunedLoader:
        """Return the best code so far with a loader for which the tuner found better settings.

        Parameters
        ----------
        name
            The loader; if empty, the one from which the cell draws most.
        ready_seconds
            How long a step of the best version takes on batches that are ready.

        Raises
        ------
        NotApplicable
            Ready batches would gain nothing, or the tuner found nothing.
        TrialEnded
            The best version failed, or the time was up.
        """
        drawn = self._ready.batches_per_step
        name = name or max(drawn, key=lambda each: drawn[each])
        gain = self.step_seconds(best) / ready_seconds
        if gain < LEAST_GAIN:
            raise NotApplicable(
                Message("Ready batches would gain no more: {gain:.2f}×.", gain=gain)
            )
        left_seconds = self._trials.seconds_left - TRIAL_RUNS * best.run_seconds
        budget_seconds = min(TUNER_SHARE * self._trials.limit_seconds, left_seconds)
        if budget_seconds < LEAST_SECONDS:
            raise NotApplicable(Message("Not tried: no time was left."))
        self._trials.reset()
        return with_tuned_loader(
            self._situation,
            code,
            name,
            budget_seconds=budget_seconds,
            target_rate=drawn.get(name, 1.0) / ready_seconds,
            progress=progress,
        )

    def compared(self, best: Variant, found: TunedLoader) -> tuple[Variant, Interval]:
        """Return the version with the tuned loader, and its speedup over the best one.

        Raises
        ------
        TrialEnded
            One failed, or the time was up.
        """
        variant = self._versions.variant(NAME, found.code)
        variant.keeps_workers = found.is_persistent
        self._trials.warm_up(variant)
        return variant, self._trials.compare(best, variant)
