"""The doctor's report as text and as HTML, most severe problems first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.display.document import (
    Block,
    Boxed,
    Code,
    Displayed,
    Folded,
    Heading,
    Line,
    Plain,
    Table,
    padded,
)
from jupyter_gpuperf.display.language import Words, words_here
from jupyter_gpuperf.schemas import CheckFinding, DoctorComparison, DoctorReport

SIGNS: Final = {"fail": "✕", "warn": "⚠", "ok": "✓", "unknown": "–"}
"""Status → sign, in display order: problems first."""
WRONG: Final = {"fail": ("%1 failure", "%1 failures"), "warn": ("%1 warning", "%1 warnings")}
WIDTH: Final = 17
SHOWING: Final = "  (--all)"


@dataclass(frozen=True, repr=False)
class Report(Plain, Displayed):
    """The return value of ``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor``.

    Attributes
    ----------
    data
        All check results.
    everything
        Whether passed checks are shown too.
    words
        Translations for the reader's language.
    """

    data: DoctorReport
    everything: bool = False
    words: Words = field(default_factory=words_here)

    @property
    def checks(self) -> list[CheckFinding]:
        """All checks, failures first."""
        return sorted(self.data.checks, key=lambda each: list(SIGNS).index(each.status))

    @property
    def problems(self) -> list[CheckFinding]:
        """The checks that failed or warn."""
        return [each for each in self.checks if each.status in WRONG]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return self._counts["fail"] > 0

    @property
    def summary(self) -> str:
        """One line: ``66 checks, 1 failure, 2 warnings``."""
        counted, counts = self.words.counted, self._counts
        found = [
            counted(*words, counts[status]) for status, words in WRONG.items() if counts[status]
        ]
        checks = counted("%1 check", "%1 checks", len(self.data.checks))
        return ", ".join([checks, *(found or [self.words("no warnings")])])

    @property
    def quiet_line(self) -> str:
        """One line that counts the checks that are not shown."""
        ok, unknown = self.words("As it should be"), self.words("Not known here")
        return f"{ok}: {self._counts['ok']} · {unknown}: {self._counts['unknown']}{SHOWING}"

    @property
    def _counts(self) -> Counter[str]:
        return Counter(each.status for each in self.data.checks)

    def __repr__(self) -> str:
        lines = [f"{self.summary}          {self.data.interpreter}"]
        for each in self.checks if self.everything else self.problems:
            lines += ["", *_lines(each, self.words)]
        if not self.everything:
            lines += ["", self.quiet_line]
        return "\n".join(lines)

    def blocks(self) -> Iterator[Block]:
        """Yield the problems; the remaining checks are folded."""
        yield Heading(self.summary, self.data.interpreter)
        shown = self.problems
        yield from (_boxed(each, self.words) for each in shown)
        rows = [
            (f"{SIGNS[each.status]} {self.words(each.label)}", self.words(each.found))
            for each in self.checks
            if each not in shown
        ]
        table = Table(rows, looks=("quiet", "label"))
        yield Folded(self.quiet_line.removesuffix(SHOWING), [table], is_open=self.everything)


@dataclass(frozen=True, repr=False)
class Differences(Plain):
    """The differences between two reports."""

    data: DoctorComparison
    before: str
    after: str

    def __repr__(self) -> str:
        changes = self.data.changes
        if not changes:
            return f"{self.after} against {self.before}: no difference."
        plural = "" if len(changes) == 1 else "s"
        lines = [f"{self.after} against {self.before}: {len(changes)} difference{plural}"]
        for each in changes:
            lines += ["", f"{each.kind} {each.name}"]
            lines += [f"    {self.before}: {each.before or 'none'}"]
            lines += [f"    {self.after}: {each.after or 'none'}"]
        return "\n".join(lines)


def _lines(each: CheckFinding, words: Words) -> Iterable[str]:
    wrong = each.status in WRONG
    rows = [("Found" if each.status != "unknown" else "Not known", words(each.found))]
    if wrong:
        rows += [("Expected", words(each.expected)), ("Why it matters", words(each.why))]
    if each.fix:
        rows.append(("To mend it, type" if wrong else "If you like, type", each.fix))
    if each.then:
        rows.append(("", words(each.then)))
    if wrong:
        rows.append(("More about it", each.link))
    yield f"{SIGNS[each.status]} {words(each.label)} ({each.id})"
    for name, text in rows:
        for number, line in enumerate(text.splitlines()):
            yield f"    {padded(words(name) if number == 0 else '', WIDTH)} {line}"


def _boxed(each: CheckFinding, words: Words) -> Boxed:
    rows = [("Found", each.found), ("Expected", each.expected), ("Why it matters", each.why)]
    blocks: list[Block] = [
        Line(f"{SIGNS[each.status]} {words(each.label)}", "strong"),
        Table([(words(name), words(text)) for name, text in rows], looks=("quiet", "label")),
    ]
    blocks += [Code(each.fix)] if each.fix else []
    blocks += [Line(words(each.then), "quiet")] if each.then else []
    return Boxed(blocks)
