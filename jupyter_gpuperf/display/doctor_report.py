"""The doctor's report as text and as HTML, most severe problems first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import CheckFinding, DoctorComparison, DoctorReport

SIGNS: Final = {"fail": "✕", "warn": "⚠", "ok": "✓", "unknown": "–"}
"""Status → sign, in display order: problems first."""
WRONG: Final = ("fail", "warn")
WIDTH: Final = 17


@dataclass(frozen=True, repr=False)
class Report(Plain, Displayed):
    """The return value of ``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor``.

    Attributes
    ----------
    data
        All check results.
    everything
        Whether passed checks are shown too.
    """

    data: DoctorReport
    everything: bool = False

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
    def summary(self) -> Message:
        """One line: ``66 checks, 1 failure, 2 warnings``."""
        fails, warnings = (self._counts[status] for status in WRONG)
        found = [Message.counted("{count} check", "{count} checks", count=len(self.data.checks))]
        if fails:
            found.append(Message.counted("{count} failure", "{count} failures", count=fails))
        if warnings:
            found.append(Message.counted("{count} warning", "{count} warnings", count=warnings))
        if not self.problems:
            found.append(Message("no warnings"))
        return Message("{found}", found=found)

    @property
    def quiet_line(self) -> Message:
        """One line that counts the checks that are not shown."""
        counts = self._counts
        return Message(
            "OK: {ok} · Not checked: {unknown}", ok=counts["ok"], unknown=counts["unknown"]
        )

    @property
    def _counts(self) -> Counter[str]:
        return Counter(each.status for each in self.data.checks)

    def __repr__(self) -> str:
        lines = [f"{translated(self.summary)}          {self.data.interpreter}"]
        for each in self.checks if self.everything else self.problems:
            lines += ["", *_lines(each)]
        if not self.everything:
            lines += ["", f"{translated(self.quiet_line)}  (--all)"]
        return "\n".join(lines)

    def blocks(self) -> Iterator[Block]:
        """Yield the problems; the remaining checks are folded."""
        yield Heading(self.summary, self.data.interpreter)
        shown = self.problems
        yield from (_boxed(each) for each in shown)
        rows = [
            (f"{SIGNS[each.status]} {translated(each.label)}", each.found)
            for each in self.checks
            if each not in shown
        ]
        table = Table(rows, looks=("quiet", "label"))
        yield Folded(self.quiet_line, [table], is_open=self.everything)


@dataclass(frozen=True, repr=False)
class Differences(Plain):
    """The differences between two reports."""

    data: DoctorComparison
    before: str
    after: str

    def __repr__(self) -> str:
        changes, sides = self.data.changes, {"before": self.before, "after": self.after}
        if not changes:
            return translated(Message("{after} against {before}: no difference.", **sides))
        title = Message.counted(
            "{after} against {before}: {count} difference",
            "{after} against {before}: {count} differences",
            count=len(changes),
            **sides,
        )
        lines = [translated(title)]
        for each in changes:
            lines += ["", f"{each.kind} {each.name}"]
            lines += [f"    {self.before}: {each.before or 'none'}"]
            lines += [f"    {self.after}: {each.after or 'none'}"]
        return "\n".join(lines)


def _lines(each: CheckFinding) -> Iterable[str]:
    rows = _rows(each)
    if each.fix:
        fix = Message("To fix it, run") if each.status in WRONG else Message("To change it, run")
        rows.append((fix, each.fix))
    if each.then:
        rows.append(("", each.then))
    if each.status in WRONG:
        rows.append((Message("More about it"), each.link))
    yield f"{SIGNS[each.status]} {translated(each.label)} ({each.id})"
    for name, text in rows:
        for number, line in enumerate(translated(text).splitlines()):
            yield f"    {padded(translated(name) if number == 0 else '', WIDTH)} {line}"


def _boxed(each: CheckFinding) -> Boxed:
    blocks: list[Block] = [
        Line(f"{SIGNS[each.status]} {translated(each.label)}", "strong"),
        Table(_rows(each), looks=("quiet", "label")),
    ]
    blocks += [Code(each.fix)] if each.fix else []
    blocks += [Line(each.then, "quiet")] if each.then else []
    return Boxed(blocks)


def _rows(each: CheckFinding) -> list[tuple[str, str]]:
    if each.status not in WRONG:
        return [(Message("Found") if each.status == "ok" else Message("Not known"), each.found)]
    expected, why = Message("Expected"), Message("Why it matters")
    return [(Message("Found"), each.found), (expected, each.expected), (why, each.why)]
