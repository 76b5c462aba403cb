"""The search space on this machine, and the result of a search. Standard library only at module level."""

from __future__ import annotations

import inspect
import math
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting, common_recipe
from jupyter_gpuperf.loaders.subject import default_start_method
from jupyter_gpuperf.tuning.feasibility import infeasible_reason
from jupyter_gpuperf.tuning.request import Step
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.trial_runner import TrialRunner

MOST_WORKERS: Final = 64
LEAST_COMPUTING: Final = 0.03
CROWDING: Final = 1.5
"""Try at most this many times the workers that keep all CPUs busy."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """The search space.

    Attributes
    ----------
    named
        Role (``present``, ``golden`` or ``kept``) → setting that is always measured.
    base
        The setting that the search starts from: prefetch factor, pinning, start method.
    step_seconds
        Seconds of the training step; ``None`` when the fastest loader is wanted.
    batches
        Batches per epoch; ``None`` when unknown.
    batch_seconds
        Seconds per batch in one process, to estimate how long a trial takes.
    computing
        Share of an item's time spent computing.
    variation
        See :class:`Probe`.
    pinning
        Whether to try pinned memory, that is, whether batches are copied to a GPU.
    start_methods
        Start methods to try that are faster than the one in use.
    any_order
        Whether this torch can return batches out of order.
    """

    named: Mapping[str, Setting]
    base: Setting
    most_workers: int
    cpus: float
    computing: float = 1.0
    variation: float = 1.0
    step: Step | None = None
    step_seconds: float | None = None
    batches: int | None = None
    batch_seconds: float = 0.0
    pinning: bool = False
    start_methods: Sequence[str] = ()
    any_order: bool = True

    def with_workers(self, count: int) -> Setting:
        """Return the base with a number of workers; for none, the current setting if it has none, measured anyway."""
        present = self.named.get("present")
        if count == 0 and present is not None and present.num_workers == 0:
            return present
        return self.base.with_changes(num_workers=count)


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The trials in the order they were run, and the recommended one."""

    trials: Sequence[Trial]
    best: Trial | None
    enough: bool | None
    """Whether the loop can't be distinguished from one whose batches are ready; ``None`` without a step."""
    cut_short: bool
    alike: Sequence[Trial] = ()
    """The trials of the last round that can't be distinguished from the best, itself included."""


def build_space(
    bench: TrialRunner,
    *,
    kept: Setting | None,
    start_method: str | None,
) -> Space:
    """Return the search space for a loader on this machine.

    Parameters
    ----------
    kept
        The setting that an earlier tuning recommended.
    start_method
        Start method that the probe had to use because items can't be loaded in forked workers; otherwise ``None``.
    """
    from torch.utils.data import DataLoader

    subject, probed, budget = bench.subject, bench.probe, bench.budget
    current_setting = subject.current_setting
    method = start_method or (current_setting.start_method if current_setting else None)
    # A copy from pageable memory waits for the GPU: a loop that can't run ahead hides what more workers gain.
    base = Setting.of(num_workers=1, pin_memory=bench.to_gpu, start_method=method)
    recipe = common_recipe(budget.seen_cpus, start_method=method)
    named = {"present": current_setting, "golden": recipe, "kept": kept}
    computing = max(LEAST_COMPUTING, 1 - probed.blocked_ratio)
    most = min(MOST_WORKERS, math.ceil(max(2 * budget.cpus, CROWDING * budget.cpus / computing)))
    if bench.most_workers is not None:
        most = min(most, bench.most_workers)
    if probed.uses_cuda and start_method is None and default_start_method() == "fork":
        most = 0
    while most > 0 and infeasible_reason(
        base.with_changes(num_workers=most), probe=probed, budget=budget
    ):
        most -= 1
    used = method or default_start_method()
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    return Space(
        named={role: each for role, each in named.items() if each is not None},
        base=base,
        most_workers=most,
        cpus=budget.cpus,
        computing=computing,
        variation=probed.variation,
        step=bench.step,
        step_seconds=bench.ready_seconds["value"] if bench.ready_seconds else None,
        batches=subject.batches_per_epoch,
        batch_seconds=probed.batch_seconds,
        pinning=bench.to_gpu,
        start_methods=["fork"] if can_fork and used != "fork" and not probed.uses_cuda else [],
        any_order="in_order" in inspect.signature(DataLoader).parameters,
    )
