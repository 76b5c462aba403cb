"""What a search has to choose from, what it measures with, and what it found. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.tuning.consumer import Step
from jupyter_gpuperf.tuning.setting import Setting
from jupyter_gpuperf.tuning.trial import Trial


class Bench(Protocol):
    """Measures settings."""

    def drain(
        self, setting: Setting, *, seconds: float, target_ratio: float, best: Interval | None = None
    ) -> Trial:
        """How fast batches come."""
        ...

    def with_step(self, setting: Setting, step: Step, *, seconds: float) -> Trial:
        """How long the step waits."""
        ...

    def starts(self, setting: Setting) -> Trial:
        """How long a start takes, and the next epoch's."""
        ...


@dataclass(frozen=True, kw_only=True)
class Space:
    """What there is to choose from.

    Attributes
    ----------
    named
        Role → a setting that is measured in any case: ``present``, ``golden``, ``kept``.
    base
        What the search starts from: prefetch factor, pinning, start method.
    step_seconds
        Of the training step; ``None`` where the fastest loader is wanted.
    batches
        In an epoch; ``None`` where nothing tells.
    batch_seconds
        How long one process takes for a batch: so much more does a trial take.
    computing
        Share of an item's time that computes.
    variation
        See :class:`Probe`.
    pinning
        Whether there is a device to pin for.
    start_methods
        Others that may be used.
    any_order
        Whether this torch can hand over batches out of order.
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


@dataclass(frozen=True, kw_only=True)
class Found:
    """The trials in the order they were made, and the recommended one."""

    trials: Sequence[Trial]
    best: Trial | None
    enough: bool | None
    """Whether the step waits for less than the bound; ``None`` without a step, or without time to run it."""
    cut_short: bool
