"""Views of a comparison of two measurements: for the notebook, the shell and a standalone page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jupyter_gpuperf.display.document import Block, Displayed, Heading, Line, Plain, Table, page_of
from jupyter_gpuperf.display.numbers import (
    interval_words,
    quantity_words,
    setting_words,
    split_name,
)
from jupyter_gpuperf.schemas import FigureChange, KeptResult, Scalar, SuiteComparison

VERDICTS: Final = {
    "better": "better",
    "worse": "worse",
    "same": "no difference seen",
    "unknown": "can't be said",
}
QUIET_PARAMETERS: Final = frozenset({"rigorous", "time_limit_seconds"})


@dataclass(frozen=True, repr=False)
class ComparisonView(Plain, Displayed):
    """A comparison of two environments, from ``%gpubench compare`` and ``jupyter gpuperf compare``."""

    data: SuiteComparison
    before: str
    after: str
    left_out: Sequence[str] = ()
    """What could not run, one line each."""

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, the differences between the environments, a row per figure, and the caveats."""
        yield Heading(self.summary)
        if self.data.environment:
            head: tuple[str, ...] = ("What differs in the environment", self.before, self.after)
            rows = [
                (
                    each.name.replace("_", " "),
                    quantity_words(each.before),
                    quantity_words(each.after),
                )
                for each in self.data.environment
            ]
            yield Table(rows, looks=("label",) * 3, head=head)
        head = ("What was measured", self.before, self.after, "after ÷ before", "")
        yield Table([_cells(each) for each in self.data.figures], looks=("label",) * 5, head=head)
        yield from (Line(each, "quiet") for each in self._doubts())

    @property
    def summary(self) -> str:
        """One sentence: how many figures got better and how many got worse."""
        counts = Counter(each.verdict for each in self.data.figures)
        return (
            f"{self.after} against {self.before}: {counts['better']} better, {counts['worse']} worse, "
            f"{counts['same']} without a difference, {counts['unknown']} can't be said."
        )

    def page(self) -> str:
        """Return a self-contained HTML page."""
        return page_of(f"{self.before} and {self.after}", self._repr_html_())

    def _doubts(self) -> Iterable[str]:
        if self.data.rounds < 2:
            yield "One round: how much runs differ without any cause is not known. Take more rounds."
        for side, names in zip(
            (self.before, self.after), (self.data.only_before, self.data.only_after), strict=True
        ):
            if names:
                yield f"Only in {side}: {', '.join(names)}."
        for each in self.data.figures:
            if each.verdict in ("better", "worse"):
                yield from (f"Careful, {each.benchmark}: {said}" for said in each.warnings)
        yield from self.left_out


def against_lines(kept: KeptResult, changes: Sequence[FigureChange]) -> list[str]:
    """Return lines that compare a result with a stored one, one line per figure."""
    role = "the baseline" if kept.baseline else "the last one like it"
    lines = [f"Against {role} (number {kept.id}, {when_words(kept.created_seconds)})"]
    for each in changes:
        label, unit = split_name(each.figure, each.unit)
        lines.append(
            f"  {label}: {interval_words(each.before, unit)[0]} then, "
            f"{interval_words(each.after, unit)[0]} now: {ratio_words(each)}"
        )
    if any(each.verdict in ("better", "worse") for each in changes):
        lines += ["  One run each: runs differ by themselves. A suite in rounds tells them apart."]
    return lines


def ratio_words(change: FigureChange) -> str:
    """Return a ratio with its interval and verdict: ``1.12× [1.08, 1.16], worse``."""
    if not change.ratio.value:
        return VERDICTS["unknown"]
    value, around = interval_words(change.ratio, "")
    return f"{value}× {around}".rstrip() + f", {VERDICTS[change.verdict]}"


def when_words(seconds: float) -> str:
    """Return a timestamp in local time, to the minute."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _cells(change: FigureChange) -> tuple[str, ...]:
    label, unit = split_name(change.figure, change.unit)
    settings = loud_settings(change.parameters)
    name = f"{change.benchmark} {label}" + (f" ({settings})" if settings else "")
    value, around = interval_words(change.ratio, "") if change.ratio.value else ("", "")
    return (
        name,
        interval_words(change.before, unit)[0],
        interval_words(change.after, unit)[0],
        f"{value}× {around}".strip(" ×"),
        VERDICTS[change.verdict],
    )


def loud_settings(parameters: Mapping[str, Scalar]) -> str:
    """Return the parameters that distinguish one run from another."""
    return " · ".join(
        setting_words(name, value)
        for name, value in parameters.items()
        if name not in QUIET_PARAMETERS and value not in (False, "")
    )
