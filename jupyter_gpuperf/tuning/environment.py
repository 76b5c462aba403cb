"""Where a tuning was measured, and what tells its data set from another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.loaders.subject import Subject, default_start_method
from jupyter_gpuperf.measure.device import started_device
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.tuning.budget import Budget


def environment_of(subject: Subject, budget: Budget) -> Mapping[str, Any]:
    """Return where it was measured, and what tells this data set from another."""
    import torch

    return {
        **describe(torch, started_device(torch)),
        "start_method": default_start_method(),
        "data_set": f"{type(subject.dataset).__module__}.{type(subject.dataset).__qualname__}",
        "data_set_items": subject.items,
        "memory_limit_bytes": budget.memory_limit_bytes,
    }
