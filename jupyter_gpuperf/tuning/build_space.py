"""What there is to choose from, for this data set on this machine. Standard library only at module level."""

from __future__ import annotations

import inspect
import math
import multiprocessing
from typing import Final

from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.consumer import Step
from jupyter_gpuperf.tuning.probe import Probe
from jupyter_gpuperf.tuning.safety import in_the_way
from jupyter_gpuperf.tuning.setting import Setting, golden
from jupyter_gpuperf.tuning.space import Space
from jupyter_gpuperf.tuning.subject import Subject, default_start_method

MOST_WORKERS: Final = 64
LEAST_COMPUTING: Final = 0.03
BEYOND: Final = 1.5
"""More workers than would fill the processors by this factor are not tried."""


def space_here(
    subject: Subject,
    looked: Probe,
    budget: Budget,
    *,
    kept: Setting | None = None,
    start_method: str | None = None,
    stream_limit: int | None = None,
    pinning: bool = False,
    step: Step | None = None,
    step_seconds: float | None = None,
) -> Space:
    """Return the space.

    Parameters
    ----------
    kept
        What was recommended before.
    start_method
        What items were looked at with, where forking can't be used.
    stream_limit
        How many workers a stream has work for.
    """
    present = subject.present
    method = start_method or (present.start_method if present else None)
    pinned = pinning and (present is None or present.pin_memory)
    base = Setting.of(num_workers=1, pin_memory=pinned, start_method=method)
    named: dict[str, Setting] = {}
    if present is not None:
        named["present"] = present
    named["golden"] = golden(budget.seen_cpus, start_method=method)
    if kept is not None:
        named["kept"] = kept
    computing = max(LEAST_COMPUTING, 1 - looked.blocked_ratio)
    most = min(MOST_WORKERS, math.ceil(max(2 * budget.cpus, BEYOND * budget.cpus / computing)))
    if stream_limit is not None:
        most = min(most, stream_limit)
    if looked.uses_cuda and start_method is None and default_start_method() == "fork":
        most = 0
    while most > 0 and in_the_way(base.but(num_workers=most), looked, budget):
        most -= 1
    return Space(
        named=named,
        base=base,
        most_workers=most,
        cpus=budget.cpus,
        computing=computing,
        variation=looked.variation,
        step=step,
        step_seconds=step_seconds,
        batches=subject.batches_per_epoch,
        batch_seconds=looked.batch_seconds,
        pinning=pinning,
        start_methods=_other_start_methods(method, looked),
        any_order=_knows_any_order(),
    )


def _other_start_methods(method: str | None, looked: Probe) -> list[str]:
    """Return cheaper ways to start workers than the one in use."""
    used = method or default_start_method()
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    return ["fork"] if used != "fork" and can_fork and not looked.uses_cuda else []


def _knows_any_order() -> bool:
    from torch.utils.data import DataLoader

    return "in_order" in inspect.signature(DataLoader).parameters
