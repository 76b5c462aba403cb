"""The request for a tuning, and its training step. Standard library only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.batches import with_new_containers
from jupyter_gpuperf.loaders.device_timeline import HostTimeline
from jupyter_gpuperf.loaders.setting import Setting

MOST_WARM_UP_STEPS: Final = 50
STEADY_STEPS: Final = 3
STEADY_RATIO: Final = 1.2
"""The step is warm when its last two times are within this ratio of its shortest."""

Step = Callable[[Any], object]


def warm_up(
    step: Step, batches: Sequence[Any], timeline: HostTimeline, limit_seconds: float
) -> None:
    """Run the step until its time is steady: first steps allocate memory, choose algorithms, or compile."""
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < MOST_WARM_UP_STEPS:
        start = time.perf_counter()
        step(with_new_containers(batches[len(taken) % len(batches)]))
        timeline.wait()
        taken.append(time.perf_counter() - start)
        is_steady = len(taken) > STEADY_STEPS and max(taken[-2:]) <= STEADY_RATIO * min(taken)
        if is_steady or time.perf_counter() > began + limit_seconds:
            break


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
