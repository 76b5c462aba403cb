"""What a search found, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message


@dataclass(slots=True)
class LeverOutcome:
    """What one lever gave.

    Attributes
    ----------
    speedup
        Over the version without it, with all levers that were taken before; ``None`` if it was not timed.
    why
        Why it was taken or left, in a sentence.
    """

    name: str
    taken: bool
    why: Message
    speedup: Interval | None = None


@dataclass(slots=True)
class Speedup:
    """The answer: before and after, and what lies between.

    Attributes
    ----------
    speedup
        Of the final code over the cell as it was, in turn.
    before_seconds, after_seconds
        Seconds per optimizer step; per run, if the cell makes none.
    code, setup
        The final cell, and the lines that run once before it.
    numerics
        How losses and gradients compare with fp32's; empty if they were not compared.
    memory
        Peak bytes of tensors before and after; ``None`` without a GPU.
    """

    speedup: Interval
    before_seconds: Interval
    after_seconds: Interval
    levers: list[LeverOutcome]
    code: str
    setup: str
    numerics: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    steps_per_run: int = 0
    seconds: float = 0.0

    @property
    def taken(self) -> list[str]:
        """The names of the levers in the code."""
        return [each.name for each in self.levers if each.taken]

    def to_dict(self) -> dict[str, Any]:
        """Return new plain data."""
        return asdict(self)
