"""What the doctor found, for reading: as text and as HTML, what is wrong first."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from jupyter_gpuperf.magics import style
from jupyter_gpuperf.schemas import CheckFinding, DoctorComparison, DoctorReport

SIGNS: Final = {"fail": "✕", "warn": "⚠", "ok": "✓", "unknown": "–"}
ORDER: Final = ("fail", "warn", "ok", "unknown")
WIDTH: Final = 10
SHOWING: Final = " --all shows them."


@dataclass(frozen=True, repr=False)
class Report:
    """What ``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor`` answer.

    Attributes
    ----------
    data
        Everything that was found.
    everything
        Whether what is right is shown, too.
    """

    data: DoctorReport
    everything: bool = False

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
        words = [_counted(len(self.data.checks), "check")]
        if counts["fail"]:
            words.append(_counted(counts["fail"], "failure"))
        words.append(_counted(counts["warn"], "warning") if counts["warn"] else "no warnings")
        return ", ".join(words)

    @property
    def quiet_line(self) -> str:
        """What is not shown, in a line."""
        ok = sum(each.status == "ok" for each in self.data.checks)
        unknown = sum(each.status == "unknown" for each in self.data.checks)
        return f"{ok} are as they should be; of {unknown} nothing can be said here.{SHOWING}"

    def to_dict(self) -> dict[str, Any]:
        """Return the whole as plain data, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        lines = [f"{self.summary}          {self.data.interpreter}"]
        for each in self.checks if self.everything else self.problems:
            lines += ["", *_lines(each)]
        if not self.everything:
            lines += ["", self.quiet_line]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        shown = self.problems
        quiet = [each for each in self.checks if each not in shown]
        is_open = " open" if self.everything else ""
        quiet_line = _escaped(self.quiet_line.removesuffix(SHOWING))
        parts = [f"<div {style.BOX}><b>{_escaped(self.summary)}</b> "]
        parts.append(f"<span {style.QUIET}>{_escaped(self.data.interpreter)}</span>")
        parts += map(_block, shown)
        parts.append(f"<details{is_open}><summary {style.QUIET}>{quiet_line}</summary>")
        parts.append(f"{_table(quiet)}</details></div>")
        return "".join(parts)


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


def _lines(each: CheckFinding) -> Iterable[str]:
    yield f"{SIGNS[each.status]} {each.label} ({each.id})"
    yield f"    {'found':{WIDTH}} {each.found}"
    if each.status in ("fail", "warn"):
        yield f"    {'expected':{WIDTH}} {each.expected}"
        yield f"    {'why':{WIDTH}} {each.why}"
    word = "fix" if each.status in ("fail", "warn") else "if wished"
    for number, line in enumerate(each.fix.splitlines()):
        yield f"    {word if number == 0 else '':{WIDTH}} {line}"
    if each.then:
        yield f"    {'':{WIDTH}} {each.then}"
    if each.status in ("fail", "warn"):
        yield f"    {'more':{WIDTH}} {each.link}"


def _block(each: CheckFinding) -> str:
    rows = [("Found", each.found), ("Expected", each.expected), ("Why", each.why)]
    cells = "".join(
        f"<tr><td {style.QUIET_CELL}>{name}</td><td {style.LABEL}>{_escaped(text)}</td></tr>"
        for name, text in rows
    )
    fix = f"<pre>{_escaped(each.fix)}</pre>" if each.fix else ""
    then = f"<div {style.QUIET}>{_escaped(each.then)}</div>" if each.then else ""
    return (
        f"<div {style.WARNING}><b>{SIGNS[each.status]} {_escaped(each.label)}</b>"
        f"<table {style.TABLE}>{cells}</table>{fix}{then}</div>"
    )


def _table(findings: Iterable[CheckFinding]) -> str:
    rows = "".join(
        f"<tr><td {style.QUIET_CELL}>{SIGNS[each.status]} {_escaped(each.label)}</td>"
        f"<td {style.LABEL}>{_escaped(each.found)}</td></tr>"
        for each in findings
    )
    return f"<table {style.TABLE}>{rows}</table>"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _escaped(text: str) -> str:
    return html.escape(text)
