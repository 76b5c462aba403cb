"""The request for a tuning. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.consumer import Step


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """The request for a tuning.

    Attributes
    ----------
    step
        The training step, called with a batch. It really runs; its changes are undone.
    target_rate
        Batches per second that the training consumes; replaces a step.
    kept
        The setting recommended before for this dataset and machine; always tried.
    """

    batch_size: int | None = None
    step: Step | None = None
    target_rate: float | None = None
    budget_seconds: float = 60.0
    kept: Setting | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.budget_seconds <= 86400:
            message = f"budget_seconds = {self.budget_seconds:g} is out of range."
            hint = "budget_seconds goes from 2 to 86400."
            raise BadRequest("parameter_out_of_range", message, hint)
        if self.batch_size is not None and not (
            isinstance(self.batch_size, int) and 1 <= self.batch_size <= 1_000_000
        ):
            message = f"batch_size = {self.batch_size!r} is out of range."
            hint = "batch_size goes from 1 to 1000000."
            raise BadRequest("parameter_out_of_range", message, hint)
        if self.target_rate is not None and not 0 < self.target_rate < math.inf:
            message = f"target_rate = {self.target_rate:g} is out of range."
            hint = "target_rate is the training's batches a second, more than zero."
            raise BadRequest("parameter_out_of_range", message, hint)
        if self.step is not None and self.target_rate is not None:
            message = "A step and a target rate are two answers to one question."
            raise BadRequest("usage", message, "Give one.")
