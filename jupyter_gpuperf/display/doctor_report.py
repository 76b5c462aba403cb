"""The doctor's report as text and as HTML, most severe problems first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.display.blocks import Block, Code, Folded, Heading, Line, Table, WarningBox
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import CheckFinding, DoctorComparison, DoctorReport

SIGNS: Final = {"fail": "✕", "warn": "⚠", "ok": "✓", "unknown": "–"}
"""Status → sign, in display order: problems first."""
PROBLEM_STATUSES: Final = ("fail", "warn")
KINDS: Final = {"check": "check", "environment": "environment", "package": "package"}
"""What a difference between two reports concerns."""


@dataclass(frozen=True, repr=False)
class DoctorReportView(PlainDataView, Displayed):
    """The return value of ``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor``.

    Attributes
    ----------
    data
        All check results.
    shows_all
        Whether the checks without problems are shown, too.
    """

    data: DoctorReport
    shows_all: bool = False

    @property
    def checks(self) -> list[CheckFinding]:
        """All checks, failures first."""
        return sorted(self.data.checks, key=lambda each: list(SIGNS).index(each.status))

    @property
    def problems(self) -> list[CheckFinding]:
        """The checks that failed or warn."""
        return [each for each in self.checks if each.status in PROBLEM_STATUSES]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return self._counts["fail"] > 0

    @property
    def summary(self) -> Message:
        """One line: ``66 checks, 1 failure, 2 warnings``."""
        fails, warnings = (self._counts[status] for status in PROBLEM_STATUSES)
        parts = [Message.counted("{count} check", "{count} checks", count=len(self.data.checks))]
        if fails:
            parts.append(Message.counted("{count} failure", "{count} failures", count=fails))
        if warnings:
            parts.append(Message.counted("{count} warning", "{count} warnings", count=warnings))
        if not self.problems:
            parts.append(Message("no warnings"))
        return Message("{parts}", parts=parts)

    @property
    def _counts(self) -> dict[str, int]:
        return dict.fromkeys(SIGNS, 0) | Counter(each.status for each in self.data.checks)

    def blocks(self) -> Iterator[Block]:
        """Yield the summary and the problems; the remaining checks are folded."""
        yield Heading(self.summary, self.data.interpreter)
        yield from (WarningBox(list(_problem(each))) for each in self.problems)
        passed = Message("OK: {ok} · Not checked: {unknown}", **self._counts)
        rows = [
            (_title(each), joined([each.found, each.then], " "), each.fix)
            for each in self.checks
            if each.status not in PROBLEM_STATUSES
        ]
        table = Table(rows, looks=("quiet", "label", "code"))
        hint = "" if self.shows_all else "(--all)"
        yield Folded(joined([passed, hint], " "), [table], is_open=self.shows_all)


@dataclass(frozen=True, repr=False)
class DoctorComparisonView(PlainDataView):
    """The differences between two reports, named ``before`` and ``after``."""

    data: DoctorComparison
    before: str
    after: str

    def __repr__(self) -> str:
        changes = self.data.changes
        sides = {"before": translated(self.before), "after": translated(self.after)}
        if not changes:
            return translated(Message("{after} compared with {before}: no differences.", **sides))
        title = Message.counted(
            "{after} compared with {before}: {count} difference",
            "{after} compared with {before}: {count} differences",
            count=len(changes),
            **sides,
        )
        lines = [translated(title)]
        for each in changes:
            lines += ["", f"{translated(Message(KINDS[each.kind]))} {each.name}"]
            for side, value in ((self.before, each.before), (self.after, each.after)):
                lines += [f"    {translated(side)}: {translated(value or Message('none'))}"]
        return "\n".join(lines)


def _problem(each: CheckFinding) -> Iterator[Block]:
    yield Line(f"{_title(each)} ({each.id})", "strong")
    rows = [
        (Message("Found"), each.found),
        (Message("Expected"), Message.from_template(each.expected)),
        (Message("Why it matters"), Message.from_template(each.why)),
        *([(Message("Learn more"), each.link)] if each.link else []),
    ]
    yield Table(rows, looks=("quiet", "label"))
    if each.fix:
        yield Code(each.fix, Message("To fix it, run"))
    if each.then:
        yield Line(each.then, "quiet")


def _title(each: CheckFinding) -> str:
    return f"{SIGNS[each.status]} {translated(Message.from_template(each.label))}"
