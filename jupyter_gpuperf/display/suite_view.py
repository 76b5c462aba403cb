"""A suite's results as text, as HTML, and as a standalone page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.comparison_view import ComparisonView
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined, page_of
from jupyter_gpuperf.display.history_view import name_and_figures
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.schemas import SuiteFailure, SuiteInfo, SuiteResults


@dataclass(frozen=True, repr=False)
class SuiteView(PlainDataView, Displayed):
    """A suite's results: the last round of each benchmark, and what could not run."""

    data: SuiteResults
    path: Path | None

    @property
    def has_failed(self) -> bool:
        """Whether no benchmark could run."""
        return not self.data.results

    def blocks(self) -> Iterator[Block]:
        """Yield a summary, a row per benchmark, and what was skipped."""
        results = self.data.results
        summary = "Suite · rounds: {rounds} · results: {results}"
        counts = {"rounds": self.data.rounds, "results": len(results)}
        yield Heading(Message(summary, **counts), str(self.path or ""))
        last = {(each.benchmark, str(each.parameters)): each for each in results}
        yield Table([name_and_figures(each) for each in last.values()], looks=("label", "label"))
        yield from (Line(_skipped(each), "quiet") for each in self.data.failures)


def suite_page(info: SuiteInfo, suites: Sequence[SuiteResults]) -> str:
    """Return an HTML page that compares the results of two kernels, or shows those of one."""
    first, *others = [side.title for side in info.sides]
    if not others:
        return page_of(first, SuiteView(suites[0], None)._repr_html_())
    skipped = [
        Message("{kernel}: {failure}", kernel=side.title, failure=_skipped(each))
        for side in info.sides
        for each in side.failures
    ]
    return ComparisonView(compare(*suites), first, others[0], skipped).page()


def _skipped(failure: SuiteFailure) -> Message:
    error = joined([failure.error.message, failure.error.hint], " ")
    return Message("Skipped: {benchmark}. {error}", benchmark=failure.benchmark, error=error)
