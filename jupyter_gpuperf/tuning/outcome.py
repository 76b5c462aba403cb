"""The outcome of a tuning, as data. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The complete outcome; ``to_dict`` returns the documented form.

    Attributes
    ----------
    trials
        One dictionary per trial, in the order they were run; see :meth:`Trial.to_dict`.
    recommended
        The recommended setting; ``None`` when no trial gave a rate.
    code
        The line that creates the loader with this setting.
    regime
        ``warm`` or ``cold`` (page cache or storage), ``mixed``, or ``no files``.
    summary
        What is recommended and what it gains, in sentences.
    limit
        The bottleneck of the recommended setting: ``step``, ``cpu``, ``quota``, ``others``, ``storage``,
        ``transfer``, ``unknown``.
    advice
        What to do when no setting is enough, or the loader is the bottleneck.
    step_seconds
        Seconds of the training step; ``None`` without a step or a target rate.
    """

    loader: str
    trials: Sequence[Mapping[str, Any]]
    recommended: Mapping[str, Any] | None
    code: str
    regime: str
    regime_summary: str
    summary: Sequence[str]
    limit: str
    limit_summary: str
    advice: Sequence[str]
    warnings: Sequence[str]
    batch_size: int
    batches_per_epoch: int | None
    step_seconds: float | None
    enough: bool | None
    probe: Mapping[str, Any]
    budget: Mapping[str, Any]
    environment: Mapping[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return asdict(self)

    def trial(self, role: str) -> Mapping[str, Any] | None:
        """Return the trial with a role (``recommended``, ``present``, ``golden`` or ``kept``); ``None`` without one."""
        return next((each for each in self.trials if role in each["roles"]), None)
