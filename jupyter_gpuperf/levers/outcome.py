"""What a search found, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message

ONE: Final[Interval] = {"value": 1.0, "low": 1.0, "high": 1.0}


@dataclass(slots=True)
class LeverOutcome:
    """What one lever gave.

    Attributes
    ----------
    speedup
        Over the version without it, with all levers that were taken before; ``None`` if it was not timed.
    why
        Why it was taken or left, in a sentence.
    speedup_so_far
        Of the code with it over the cell as it was, when it was taken: the product of the trials' gains up to there.
    """

    name: str
    taken: bool
    why: Message
    speedup: Interval | None = None
    speedup_so_far: float | None = None


OnOutcome = Callable[[Sequence[LeverOutcome], CellCode], object]
"""Gets the outcomes of all levers so far, and the best code so far."""


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
    samples
        The seconds behind ``before_seconds`` and ``after_seconds``, in the order in which they were taken.
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
    samples: dict[str, list[float]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def losses(self) -> dict[str, list[float]]:
        """The losses that were compared: those of the cell in fp32, ``before``, and of the final code, ``after``.

        Empty if nothing was taken, or the cell has no backward pass.
        """
        numbers = self.numerics
        if not numbers or numbers["outputs"]:
            return {}
        return {"before": numbers["reference_losses"], "after": numbers["losses"]}

    @property
    def taken(self) -> list[str]:
        """The names of the levers in the code."""
        return [each.name for each in self.levers if each.taken]

    def with_cell_as_it_was(self, cell: str) -> Speedup:
        """Return the answer of a search that gained nothing."""
        return replace(
            self,
            speedup=ONE,
            after_seconds=self.before_seconds,
            code=cell,
            setup="",
            numerics={},
            samples=dict.fromkeys(self.samples, self.samples["before_seconds"]),
            memory=dict.fromkeys(self.memory, self.memory["before_bytes"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return new plain data."""
        return asdict(self)
