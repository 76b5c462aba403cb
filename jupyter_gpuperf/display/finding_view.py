"""A finding, drawn the same way wherever Python shows one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.display.blocks import Block, Code, Line, Table, WarningBox
from jupyter_gpuperf.display.document import joined
from jupyter_gpuperf.display.numbers import format_quantity, split_name
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import Finding

SIGNS: Final = {"critical": "✕", "warning": "▲", "info": "·"}
LEVELS: Final = {
    "critical": Message("critical"),
    "warning": Message("warning"),
    "info": Message("note"),
    "suspected": Message("suspected"),
    "confirmed": Message("confirmed"),
}


def finding_box(finding: Finding, place: str = "") -> WarningBox:
    """Return a finding with its evidence, advice and code; ``place`` names the device if there are several."""
    return WarningBox(list(_blocks(finding, place)))


def finding_line(finding: Finding, place: str = "") -> str:
    """Return a finding in one line."""
    levels = joined([LEVELS[finding.severity], LEVELS[finding.confidence]], ", ")
    title = joined([f"{SIGNS[finding.severity]} {finding.code}", levels])
    return f"{title} · {joined([place, finding.summary], ': ')}"


def _blocks(finding: Finding, place: str) -> Iterator[Block]:
    levels = joined([LEVELS[finding.severity], LEVELS[finding.confidence]], ", ")
    title = joined([finding.code, levels, finding.cost or ""])
    yield Line(f"{SIGNS[finding.severity]} {title}", "strong")
    yield Line(joined([place, finding.summary], ": "))
    evidence = " · ".join(_shown(*each) for each in finding.evidence.items())
    rows = [
        (Message("evidence"), evidence),
        (Message("try"), finding.advice),
        (Message("how to check"), finding.refuted_by),
    ]
    yield Table(rows, looks=("quiet", "label"))
    if finding.change:
        yield Code(finding.change, Message("code"))


def _shown(name: str, value: float | str) -> str:
    label, unit = split_name(name)
    return f"{translated(label)} {translated(format_quantity(value, unit))}"
