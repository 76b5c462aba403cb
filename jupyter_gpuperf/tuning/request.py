"""What the user asks the tuner for, and the timing of the training step. Standard library only at module level."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.setting import Setting

WARM_UP_STEPS: Final = 3
MOST_STEPS: Final = 50

Step = Callable[[Any], object]


def synchronized_step(step: Step) -> Step:
    """Return a step that also waits until the GPU has finished its work."""

    def run(batch: Any) -> None:
        step(batch)
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    return run


def step_seconds_of(step: Step, batch: Any, limit_seconds: float) -> float:
    """Return the seconds that the step takes without loading: the median after a warm-up, if there is time for one."""
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < WARM_UP_STEPS + MOST_STEPS and time.perf_counter() < began + limit_seconds:
        start = time.perf_counter()
        step(batch)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[WARM_UP_STEPS:] or taken[-1:])


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """What the user asks the tuner for.

    Attributes
    ----------
    batch_size
        Batch size that replaces the loader's own.
    step
        The training step, called with a batch. It really runs; its changes are undone.
    target_rate
        Batches per second that the training consumes; replaces a step.
    budget_seconds
        Time for the whole tuning.
    kept
        The setting that an earlier tuning recommended for this dataset and machine; always tried.
    """

    batch_size: int | None = None
    step: Step | None = None
    target_rate: float | None = None
    budget_seconds: float = 60.0
    kept: Setting | None = None

    def __post_init__(self) -> None:
        size, rate = self.batch_size, self.target_rate
        if not 2 <= self.budget_seconds <= 86400:
            self._refuse("budget_seconds", hint="budget_seconds must be from 2 to 86400.")
        if size is not None and not (isinstance(size, int) and 1 <= size <= 1_000_000):
            self._refuse("batch_size", hint="batch_size must be an integer from 1 to 1000000.")
        if rate is not None and not 0 < rate < math.inf:
            self._refuse("target_rate", hint="target_rate must be a positive number of batches/s.")
        if self.step is not None and self.target_rate is not None:
            raise BadRequest("usage", "Both a step and a target rate were given.", "Give only one.")

    def _refuse(self, name: str, *, hint: str) -> NoReturn:
        message, value = "{name} = {value!r} is out of range.", getattr(self, name)
        raise BadRequest("parameter_out_of_range", message, hint, name=name, value=value)
