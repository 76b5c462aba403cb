"""A finding, drawn the same way wherever Python shows one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def finding_boxes(findings: Iterable[Finding], names: Mapping[str, str]) -> Iterator[WarningBox]:
    """Yield the findings with their evidence, advice and code; those of several devices that are alike as one.

    Parameters
    ----------
    names
        UUID → the name of each device; not shown if there is only one.
    """
    shown = names if len(names) > 1 else {}
    for group in _alike(findings):
        yield WarningBox(list(_blocks(group, [shown.get(each.device or "", "") for each in group])))


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the findings in one line each; those of several devices that are alike as one."""
    for group in _alike(findings):
        levels = joined([LEVELS[group[0].severity], LEVELS[group[0].confidence]], ", ")
        title = joined([f"{SIGNS[group[0].severity]} {group[0].code}", levels])
        yield f"{title} · {_sentence(group, '')}"


def _alike(findings: Iterable[Finding]) -> Iterable[Sequence[Finding]]:
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.code, each.severity, each.confidence), []).append(each)
    return groups.values()


def _sentence(group: Sequence[Finding], place: str) -> str:
    if len(group) > 1:
        place = Message("{count} GPUs", count=len(group))
    return joined([place, group[0].summary], ": ")


def _blocks(group: Sequence[Finding], places: Sequence[str]) -> Iterator[Block]:
    first = group[0]
    levels = joined([LEVELS[first.severity], LEVELS[first.confidence]], ", ")
    title = joined([first.code, levels, first.cost or ""])
    yield Line(f"{SIGNS[first.severity]} {title}", "strong")
    yield Line(_sentence(group, places[0]))
    labels = places if len(group) > 1 else [Message("evidence")]
    rows = [(label, _evidence(each)) for label, each in zip(labels, group, strict=True)]
    rows += [(Message("try"), each) for each in dict.fromkeys(each.advice for each in group)]
    rows.append((Message("how to check"), first.refuted_by))
    yield Table(rows, looks=("quiet", "label"))
    for change in dict.fromkeys(each.change for each in group):
        if change:
            yield Code(change, Message("code"))


def _evidence(finding: Finding) -> str:
    return " · ".join(_shown(*each) for each in finding.evidence.items())


def _shown(name: str, value: float | str) -> str:
    label, unit = split_name(name)
    return f"{translated(label)} {translated(format_quantity(value, unit))}"
