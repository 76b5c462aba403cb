"""Views of a comparison of two measurements: for the notebook, the shell and a standalone page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined, page_of
from jupyter_gpuperf.display.numbers import (
    format_interval,
    format_parameter,
    format_quantity,
    split_name,
)
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.results.gate import ONE_ROUND, Gate
from jupyter_gpuperf.results.subject import PRECISION_KEYS
from jupyter_gpuperf.schemas import FigureChange, KeptResult, Scalar, SuiteComparison

VERDICTS: Final = {
    "better": Message("better"),
    "worse": Message("worse"),
    "same": Message("no difference"),
    "unknown": Message("inconclusive"),
}


@dataclass(frozen=True, repr=False)
class ComparisonView(PlainDataView, Displayed):
    """A comparison of two environments, from ``%gpubench compare`` and ``jupyter gpuperf compare``.

    Attributes
    ----------
    before, after
        The names of the two environments.
    skipped
        What could not run, one line each.
    gate
        Whether anything became slower than a limit; ``None`` if nobody asked.
    in_rounds
        Whether both are benchmarks in rounds; otherwise, they are single runs.
    """

    data: SuiteComparison
    before: str
    after: str
    skipped: Sequence[str] = ()
    gate: Gate | None = None
    in_rounds: bool = True

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, the differences between the environments, a row per figure, and the caveats."""
        sides = (self.before, self.after)
        yield Heading(self.summary)
        if self.gate is not None:
            yield Line(decision(self.gate))
            yield from (Line(each, "quiet") for each in self.gate.reasons)
        if self.data.environment:
            rows = [
                (each.name.replace("_", " "), *map(format_quantity, (each.before, each.after)))
                for each in self.data.environment
            ]
            yield Table(rows, looks=("label",) * 3, head=(Message("Environment"), *sides))
        figures = [_cells(each) for each in self.data.figures]
        head = (Message("Figure"), *sides, Message("after ÷ before"), "")
        yield Table(figures, looks=("label",) * 5, head=head)
        yield from (Line(each, "quiet") for each in self._caveats())

    @property
    def summary(self) -> Message:
        """One sentence: how many figures got better and how many got worse."""
        counts = dict.fromkeys(VERDICTS, 0) | Counter(each.verdict for each in self.data.figures)
        summary = "{after} vs. {before}: {better} better, {worse} worse, {same} equal, {unknown} inconclusive."
        return Message(summary, after=self.after, before=self.before, **counts)

    def page(self) -> str:
        """Return a self-contained HTML page."""
        title = translated(Message("{before} and {after}", before=self.before, after=self.after))
        return page_of(title, self._repr_html_())

    def to_markdown(self) -> str:
        """Return the comparison as Markdown, for a pull request."""
        head = [Message("Figure"), self.before, self.after, Message("after ÷ before"), ""]
        rows = [head, ["---"] * len(head), *map(_cells, self.data.figures)]
        lines = [_in_markdown(self.summary), ""]
        if self.gate is not None:
            reasons = [f"- {_in_markdown(each)}" for each in self.gate.reasons]
            lines = [f"**{translated(decision(self.gate))}**", "", *reasons, *lines]
            lines[2 + len(reasons) : 2 + len(reasons)] = [""] if reasons else []
        lines += [f"| {' | '.join(map(_in_markdown, row))} |" for row in rows]
        return "\n".join(
            [*lines, "", *(f"{_in_markdown(each)}\n" for each in self._caveats())]
        ).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as data, with the decision as ``gate``."""
        found = super().to_dict()
        return found if self.gate is None else {**found, "gate": self.gate._asdict()}

    def _caveats(self) -> Iterable[str]:
        if not self.in_rounds:
            yield Message("The intervals are of one run each; the next run may differ by more.")
        elif self.data.rounds < 2:
            yield ONE_ROUND
        only = ((self.before, self.data.only_before), (self.after, self.data.only_after))
        for side, benchmarks in only:
            if benchmarks:
                yield Message("Only in {side}: {benchmarks}.", side=side, benchmarks=benchmarks)
        for each in self.data.figures:
            if each.verdict in ("better", "worse"):
                yield from (f"{each.benchmark}: {translated(warning)}" for warning in each.warnings)
        yield from self.skipped


def decision(found: Gate) -> Message:
    """Return in a sentence whether anything became slower."""
    match found.status:
        case "passed":
            text = "Passed: nothing takes {limit:g} % longer."
        case "worse":
            text = "Worse: something takes more than {limit:g} % longer."
        case _:
            text = "Inconclusive at a limit of {limit:g} %."
    return Message(text, limit=found.limit_percent)


def _in_markdown(text: str) -> str:
    """Return text on one line and without a table's or a page's marks: names come from a file."""
    text = " ".join(translated(text).split())
    for mark, written in (("\\", "\\\\"), ("|", "\\|"), ("`", "\\`"), ("<", "&lt;")):
        text = text.replace(mark, written)
    return text


def comparison_lines(kept: KeptResult, changes: Sequence[FigureChange]) -> list[str]:
    """Return lines that compare a result with a stored one, one line per figure."""
    title = (
        "Compared with the baseline (number {number}, {date})"
        if kept.baseline
        else "Compared with the previous run (number {number}, {date})"
    )
    lines = [translated(Message(title, number=kept.id, date=format_time(kept.created_seconds)))]
    for each in changes:
        label, unit = split_name(each.figure, each.unit)
        before, after = (format_interval(side, unit)[0] for side in (each.before, each.after))
        lines.append(f"  {translated(label)}: {before} → {after}: {format_ratio(each)}")
    if any(each.verdict in ("better", "worse") for each in changes):
        caveat = Message("Single runs vary; use a suite to compare.")
        lines.append(f"  {translated(caveat)}")
    return lines


def format_ratio(change: FigureChange) -> str:
    """Return a ratio with its interval and verdict: ``1.12× [1.08, 1.16], worse``."""
    ratio = _ratio(change)
    return joined([ratio, VERDICTS[change.verdict if ratio else "unknown"]], ", ")


def format_time(seconds: float) -> str:
    """Return a timestamp in local time, to the minute; a dash for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # from a file that anybody may have changed
        return "–"


def _ratio(change: FigureChange) -> str:
    value, interval = format_interval(change.ratio, "")
    return f"{value}× {interval}".rstrip() if change.ratio.value else ""


def _cells(change: FigureChange) -> tuple[str, ...]:
    label, unit = split_name(change.figure, change.unit)
    settings = distinguishing_parameters(change.parameters)
    name = f"{change.benchmark} {translated(label)}" + (f" ({settings})" if settings else "")
    before, after = (format_interval(side, unit)[0] for side in (change.before, change.after))
    return name, before, after, _ratio(change), VERDICTS[change.verdict]


def distinguishing_parameters(parameters: Mapping[str, Scalar]) -> str:
    """Return the parameters that distinguish one run from another, as text."""
    return " · ".join(
        format_parameter(name, value)
        for name, value in parameters.items()
        if name not in PRECISION_KEYS and value is not False and value != ""
    )
