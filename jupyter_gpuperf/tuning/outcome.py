"""What a tuning found, as data. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that is known; ``to_dict`` is the documented shape.

    Attributes
    ----------
    trials
        A dictionary each, in the order they were made; see :meth:`Trial.to_dict`.
    recommended
        The setting; ``None`` where no trial gave a rate.
    code
        The line that makes the loader in this setting.
    regime
        ``warm`` or ``cold`` (the system's cache of files), ``mixed``, or ``no files``.
    summary
        What is recommended and what it gains, in sentences.
    limit
        What bounds the recommended setting now: ``step``, ``cpu``, ``quota``, ``others``, ``storage``,
        ``transfer``, ``unknown``.
    advice
        What to do where no setting is enough, or the loader is the limit.
    step_seconds
        Of the training step; ``None`` where there was none to hold it against.
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
        """Return it as plain data."""
        return asdict(self)

    def trial(self, role: str) -> Mapping[str, Any] | None:
        """Return the trial of a role: ``recommended``, ``present``, ``golden`` or ``kept``."""
        return next((each for each in self.trials if role in each["roles"]), None)
