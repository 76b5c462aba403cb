"""The work of a loop's steps: what its model is given, and the operations, which are counted in one step."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Final

from jupyter_gpuperf.loops.flop_count import CountedStep, OperationCount
from jupyter_gpuperf.loops.step_inputs import StepInputs
from jupyter_gpuperf.schemas.work import FlopsUnknown, Work

AGAIN_SECONDS: Final = 30.0
"""Minimum time between two counts."""
CHANGE_RATIO: Final = 0.01
"""A change of the inputs' size after which the operations are counted again."""
RETRY_SECONDS: Final = 6.0
"""The same, while there is no result."""
RECENT_STEPS: Final = 8
FIRST_COUNTED: Final = 2
"""Number of steps that are followed before one is counted: torch prepares much in the first ones."""
MOST_TRIES: Final = 5
"""Maximum number of counted steps without a result, such as those without a backward pass."""


class StepWork:
    """What was seen of the work of one step.

    Attributes
    ----------
    inputs
        What the outermost module was given in the step's first forward pass; ``None`` if that was not seen.
    passes
        Number of backward passes; of several through one graph, which keep it, only the last.
    count
        What counts the step's operations; ``None`` in all but one step.
    """

    __slots__ = ("count", "inputs", "passes")

    def __init__(self) -> None:
        self.inputs: StepInputs | None = None
        self.passes = 0
        self.count: OperationCount | None = None

    @property
    def is_counted(self) -> bool:
        """Whether the step was slowed by counting, so that its time does not count."""
        return self.count is not None and self.count.has_begun


class WorkCounter:
    """The work of one loop's steps. The loop calls ``begin`` and ``end``; all else is for another thread."""

    _model = (0, 0.0)
    _begun_seconds = -math.inf

    def __init__(self) -> None:
        self._followed = 0
        self._sizes: deque[float] = deque(maxlen=RECENT_STEPS)
        self.take_model(None, 0.0)

    def take_model(self, model: object, frozen_ratio: float) -> None:
        """Count the steps anew if this is another model than before, or if another share of its parameters is frozen."""
        is_same, model_id = self._model == (id(model), frozen_ratio), id(model)
        age = time.monotonic() - self._begun_seconds
        # What is frozen and thawed in turn, as in a GAN, is not counted each time.
        if is_same or (self._model[0] == model_id and age < AGAIN_SECONDS):
            return
        self._model = (model_id, frozen_ratio)
        self.new_count: Callable[[], OperationCount] | None = None
        """Begins a count in the next step that is followed; ``None`` if none is due."""
        self.counted: CountedStep | None = None
        self.structure: FlopsUnknown | None = None
        """Why the model can't be counted at all."""
        self.seen: StepInputs | None = None
        """What the model was given when the loop was last seen in it."""
        self._begun_seconds = -math.inf
        self._tries = 0

    def is_due(self) -> bool:
        """Return whether a step should be counted."""
        if self.new_count is not None or self._followed < FIRST_COUNTED:
            return False
        age = time.monotonic() - self._begun_seconds
        if self.counted is None or self.counted.flops is None:
            return self._tries < MOST_TRIES and age > RETRY_SECONDS
        size = self.counted.inputs.elements
        if size is None or not self._sizes:
            return False
        mean = fmean(list(self._sizes))
        return age > AGAIN_SECONDS and abs(mean - size) > CHANGE_RATIO * size

    def begin(self, work: StepWork) -> None:
        """Begin a step that is followed, and count it if a count is due."""
        if self.new_count is not None:
            work.count, self.new_count = self.new_count(), None
            self._begun_seconds = time.monotonic()
            self._tries += 1

    def end(self, work: StepWork, *, is_whole: bool) -> Mapping[Work, float]:
        """Return the amounts of a step that was followed, as far as they are known."""
        self._followed += 1
        if work.count is not None and is_whole:
            self.counted = work.count.result(work.inputs, self.seen)
            if self.counted.flops is not None:
                self._tries = 0
        inputs = work.inputs or self.seen
        if inputs is not None and inputs.elements is not None:
            self._sizes.append(inputs.elements)
        amounts: dict[Work, float | None] = {
            "samples": self._given(work, "samples"),
            "tokens": self._given(work, "tokens"),
            "flops": self._flops(work),
        }
        return {name: amount for name, amount in amounts.items() if amount is not None}

    def _given(self, work: StepWork, name: str) -> float | None:
        if name == "tokens" and not self._are_tokens():
            return None
        inputs = work.inputs or self.seen or (self.counted and self.counted.inputs)
        amount = getattr(inputs, name, None)
        # Where the forward pass was not seen, there was one for each backward pass.
        return None if amount is None else amount * (work.passes or bool(work.inputs))

    def _are_tokens(self) -> bool:
        """Return whether what looks like tokens is embedded, or that can't be known."""
        if self.counted is None:
            return self.structure is not None
        return self.counted.embeds_tokens

    def _flops(self, work: StepWork) -> float | None:
        counted = self.counted
        if counted is None or counted.flops is None:
            return None
        flops = counted.flops * work.passes
        inputs = work.inputs or self.seen
        then, now = counted.inputs.elements, inputs and inputs.elements
        return flops * now / then if then and now else flops
