"""The answer of ``%%speedup``: how much faster, what each lever gave, the numbers, and the whole cell as code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.blocks import Block, Cell, Code, Heading, Line, Table
from jupyter_gpuperf.display.document import DisplayedOnce, joined, warning_line
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.levers.outcome import LeverOutcome, Speedup
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import Interval

NAME: Final = "speedup"
HEAD: Final = ("", Message("Lever"), Message("Speedup"), "", Message("Why"))
LOOKS: Final = ("quiet", "name", "value", "quiet", "sentence")


class CellSpeedup(DisplayedOnce):
    """A cell made faster.

    Attributes
    ----------
    data
        The complete answer; :meth:`to_dict` returns the documented shape.
    """

    wide: ClassVar[bool] = True

    def __init__(self, data: Speedup) -> None:
        self.data = data

    @property
    def code(self) -> str:
        """The set-up lines and the cell, ready to run; empty if the cell is best as it was."""
        if not self.data.taken:
            return ""
        return "\n\n".join(filter(None, [self.data.setup, self.data.code.strip()]))

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        return self.data.to_dict()

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield the answer, a row per lever, numbers and memory, the code, and what to note."""
        data = self.data
        yield Heading(self.sentence)
        yield Line(joined(self._facts()))
        yield Table([_row(each) for each in data.levers], looks=LOOKS, head=HEAD)
        if self.code:
            yield Code(self.code, Message("The whole cell:"))
        yield from map(warning_line, data.warnings)

    @property
    def sentence(self) -> Message:
        """The answer in one sentence."""
        data = self.data
        if not data.taken:
            return Message("Leave it as it is: no lever made the cell measurably faster.")
        value, interval = format_interval(Interval(**data.speedup), "×")
        return Message(
            "{speedup} {interval} with {levers}.",
            speedup=value,
            interval=interval,
            levers=data.taken,
        )

    def _facts(self) -> Iterator[str]:
        data = self.data
        before, after = (
            " ".join(format_interval(Interval(**each), "seconds"))
            for each in (data.before_seconds, data.after_seconds)
        )
        yield Message("{before} → {after} per step", before=before, after=after)
        if sentence := data.numerics.get("sentence"):
            yield Message("numbers: {sentence}", sentence=sentence)
        sizes = [data.memory.get(name) for name in ("before_bytes", "after_bytes")]
        if None not in sizes:
            one, other = (format_quantity(each, "bytes") for each in sizes)
            yield Message("peak memory {before} → {after}", before=one, after=other)
        yield Message("measured in {seconds:.0f} s", seconds=data.seconds)


def _row(outcome: LeverOutcome) -> Sequence[Cell]:
    taken = "✓" if outcome.taken else ""
    if outcome.speedup is None:
        return taken, outcome.name, MISSING, "", outcome.why
    value, interval = format_interval(Interval(**outcome.speedup), "×")
    return taken, outcome.name, value, interval, outcome.why
