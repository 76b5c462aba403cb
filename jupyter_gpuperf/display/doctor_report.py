"""What the doctor found, for reading: as text and as HTML, what is wrong first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.document import (
    Block,
    Boxed,
    Code,
    Displayed,
    Folded,
    Heading,
    Line,
    Table,
)
from jupyter_gpuperf.display.language import Words, words_here
from jupyter_gpuperf.schemas import CheckFinding, DoctorComparison, DoctorReport

SIGNS: Final = {"fail": "✕", "warn": "⚠", "ok": "✓", "unknown": "–"}
ORDER: Final = ("fail", "warn", "ok", "unknown")
WIDTH: Final = 17
SHOWING: Final = "  (--all)"


@dataclass(frozen=True, repr=False)
class Report(Displayed):
    """What ``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor`` answer.

    Attributes
    ----------
    data
        Everything that was found.
    everything
        Whether what is right is shown, too.
    words
        The reader's language.
    """

    data: DoctorReport
    everything: bool = False
    words: Words = field(default_factory=words_here)

    @property
    def checks(self) -> list[CheckFinding]:
        """Every check, failures first."""
        return sorted(self.data.checks, key=lambda each: ORDER.index(each.status))

    @property
    def problems(self) -> list[CheckFinding]:
        """What is wrong."""
        return [each for each in self.checks if each.status in ("fail", "warn")]

    @property
    def failed(self) -> bool:
        """Whether something does not work."""
        return any(each.status == "fail" for each in self.data.checks)

    @property
    def summary(self) -> str:
        """One line: ``66 checks, 1 failure, 2 warnings``."""
        counts = {
            status: sum(each.status == status for each in self.data.checks) for status in ORDER
        }
        counted = self.words.counted
        parts = [counted("%1 check", "%1 checks", len(self.data.checks))]
        if counts["fail"]:
            parts.append(counted("%1 failure", "%1 failures", counts["fail"]))
        if counts["warn"]:
            parts.append(counted("%1 warning", "%1 warnings", counts["warn"]))
        if not counts["fail"] + counts["warn"]:
            parts.append(self.words("no warnings"))
        return ", ".join(parts)

    @property
    def quiet_line(self) -> str:
        """What is not shown, in a line."""
        counts = [
            f"{self.words(name)}: {sum(each.status == status for each in self.data.checks)}"
            for status, name in (("ok", "As it should be"), ("unknown", "Not known here"))
        ]
        return f"{' · '.join(counts)}{SHOWING}"

    def to_dict(self) -> dict[str, Any]:
        """Return the whole as plain data, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        lines = [f"{self.summary}          {self.data.interpreter}"]
        for each in self.checks if self.everything else self.problems:
            lines += ["", *_lines(each, self.words)]
        if not self.everything:
            lines += ["", self.quiet_line]
        return "\n".join(lines)

    def blocks(self) -> Iterator[Block]:
        """Yield what is wrong; the rest unfolds."""
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
class Differences:
    """Two reports held against each other."""

    data: DoctorComparison
    before: str
    after: str

    def to_dict(self) -> dict[str, Any]:
        """Return the whole as plain data, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        changes = self.data.changes
        if not changes:
            return f"{self.after} against {self.before}: no difference."
        lines = [f"{self.after} against {self.before}: {_counted(len(changes), 'difference')}"]
        for each in changes:
            lines += ["", f"{each.kind} {each.name}"]
            lines += [f"    {self.before}: {each.before or 'none'}"]
            lines += [f"    {self.after}: {each.after or 'none'}"]
        return "\n".join(lines)


def _lines(each: CheckFinding, words: Words) -> Iterable[str]:
    wrong = each.status in ("fail", "warn")
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
            yield f"    {_padded(words(name) if number == 0 else '')} {line}"


def _padded(text: str) -> str:
    """Return a text as wide as its column; a Chinese character takes two places."""
    width = sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
    return text + " " * max(0, WIDTH - width)


def _boxed(each: CheckFinding, words: Words) -> Boxed:
    rows = [("Found", each.found), ("Expected", each.expected), ("Why it matters", each.why)]
    blocks: list[Block] = [
        Line(f"{SIGNS[each.status]} {words(each.label)}", "strong"),
        Table([(words(name), words(text)) for name, text in rows], looks=("quiet", "label")),
    ]
    blocks += [Code(each.fix)] if each.fix else []
    blocks += [Line(words(each.then), "quiet")] if each.then else []
    return Boxed(blocks)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
