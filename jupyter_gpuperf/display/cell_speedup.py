"""The answer of ``%%speedup``: how much faster, what each lever gave, the numbers, and the whole cell as code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.blocks import Bar, Block, Cell, Code, Heading, Line, Table
from jupyter_gpuperf.display.document import DisplayedOnce, joined, page_of, warning_line
from jupyter_gpuperf.display.loss_curves import loss_curves
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.outcome import LeverOutcome, Speedup
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.results.result_file import write_result
from jupyter_gpuperf.schemas import BenchmarkResult, Interval

NAME: Final = "speedup"
HEAD: Final = ("", Message("Lever"), Message("Time"), Message("Speedup"), "", Message("Why"))
LOOKS: Final = ("quiet", "name", "bar", "value", "quiet", "sentence")
TAKEN: Final = "✓"
COSTS: Final = "✗"


class CellSpeedup(DisplayedOnce):
    """A cell made faster.

    Attributes
    ----------
    data
        The complete answer; :meth:`to_dict` returns the documented shape.
    result
        The answer as it is stored and saved.
    number
        The result's number among the stored results; ``None`` if it was not stored.
    """

    wide: ClassVar[bool] = True

    def __init__(self, data: Speedup, result: BenchmarkResult, number: int | None = None) -> None:
        self.data, self.result, self.number = data, result, number

    @property
    def code(self) -> str:
        """The set-up lines and the cell, ready to run; empty if the cell is best as it was."""
        return whole_code(self.data)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        return self.data.to_dict()

    def save(self, path: str | Path) -> None:
        """Save the answer to a new file. ``jupyter gpuperf compare`` compares two of them.

        Raises
        ------
        BadRequest
            ``file_exists`` or ``file_not_writable``.
        """
        write_result(Path(path), self.result)

    def page(self) -> str:
        """Return a self-contained HTML page."""
        return page_of(translated(sentence_of(self.data)), self._repr_html_())

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield the answer, the steps to it with the levers that were left, losses, the code, and what to note."""
        data = self.data
        yield Heading(sentence_of(data))
        yield Line(joined(facts_of(data)))
        steps = list(_waterfall(data))
        rows = [*steps, *_left(data.levers)]
        yield Table(rows, looks=LOOKS, head=HEAD, bold=(len(steps) - 1,))
        names = {"before": Message("as it was, in fp32"), "after": Message("the code below")}
        yield loss_curves({names[side]: each for side, each in data.losses.items()})
        if self.code:
            yield Code(self.code, Message("The whole cell:"))
        yield from map(warning_line, data.warnings)


class SpeedupSoFar(DisplayedOnce):
    """What a search had found when it was stopped: outcomes of levers, and code that was not compared with the cell."""

    wide: ClassVar[bool] = True

    def __init__(self, levers: Sequence[LeverOutcome], code: CellCode) -> None:
        self.levers, self.code = list(levers), code

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield what each lever gave, and the code so far."""
        yield Heading(Message("Stopped. What was found so far:"))
        taken = [_row(each, TAKEN, "") for each in self.levers if each.taken]
        yield Table([*taken, *_left(self.levers)], looks=LOOKS, head=HEAD)
        if taken:
            title = Message("The code so far. It was not compared with the cell as it was:")
            yield Code(f"{self.code.setup_code}\n\n{self.code.cell}".strip(), title)


def sentence_of(data: Speedup) -> Message:
    """Return the answer in one sentence."""
    if not data.taken:
        return Message("Leave it as it is: no lever made the cell measurably faster.")
    value, interval = format_interval(Interval(**data.speedup), "×")
    return Message(
        "{speedup} {interval} with {levers}.", speedup=value, interval=interval, levers=data.taken
    )


def facts_of(data: Speedup) -> Iterator[Message]:
    """Yield the times before and after, how the numbers compare, the peak memory, and how long it took."""
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


def whole_code(data: Speedup) -> str:
    """Return the set-up lines and the cell, ready to run; empty if the cell is best as it was."""
    if not data.taken:
        return ""
    return "\n\n".join(filter(None, [data.setup, data.code.strip()]))


def _waterfall(data: Speedup) -> Iterator[Sequence[Cell]]:
    """Yield the cell as it was, the levers that were taken, and the final code, with the time of a step as bars."""
    if not data.taken:
        return
    yield "", Message("as it was"), Bar(1.0), "", "", ""
    for each in data.levers:
        if each.taken:
            yield _row(each, TAKEN, Bar(1 / (each.speedup_so_far or 1.0)))
    speedup = Interval(**data.speedup)
    why = Message("Compared with the cell as it was, at the end.")
    yield "", Message("the code below"), Bar(1 / speedup.value), *format_interval(speedup, "×"), why


def _left(levers: Sequence[LeverOutcome]) -> Iterator[Sequence[Cell]]:
    """Yield the levers that were not taken, those that were timed first."""
    left = [each for each in levers if not each.taken]
    for each in sorted(left, key=lambda each: each.speedup is None):
        is_slower = each.speedup is not None and each.speedup["high"] < 1
        yield _row(each, COSTS if is_slower else "", "")


def _row(outcome: LeverOutcome, sign: str, bar: Bar | str) -> Sequence[Cell]:
    figures = (MISSING, "")
    if outcome.speedup is not None:
        figures = format_interval(Interval(**outcome.speedup), "×")
    return sign, outcome.name, bar, *figures, outcome.why
