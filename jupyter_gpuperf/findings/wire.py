"""Findings for people and for the wire: with what they cost in words, and since when they hold."""

from __future__ import annotations

from typing import TypeVar, cast

from jupyter_gpuperf.diagnose import Finding
from jupyter_gpuperf.schemas import Finding as WireFinding

T = TypeVar("T")


def told(finding: Finding, since_seconds: float) -> WireFinding:
    """Return a finding as it goes over the wire."""
    return WireFinding(
        code=finding.code,
        severity=finding.severity,
        confidence=finding.confidence,
        device=finding.device,
        pid=finding.pid,
        notebook=finding.notebook,
        since_seconds=since_seconds,
        summary=finding.summary,
        cost=cost_of(finding),
        lost_ratio=_plain(finding.lost_ratio),
        lost_seconds_per_epoch=_plain(finding.lost_seconds_per_epoch),
        evidence={name: _plain(value) for name, value in finding.evidence.items()},
        advice=finding.advice,
        refuted_by=finding.refuted_by,
        change=finding.change,
    )


def _plain(value: T) -> T:
    """Return a threshold that stands in for a measurement as the number that it is: the wire knows no others."""
    return cast("T", float(value)) if isinstance(value, float) else value


def cost_of(finding: Finding) -> str | None:
    """Return the time that it costs, in words; ``None`` where nothing is to be added to the summary."""
    lost, seconds = finding.lost_ratio, finding.lost_seconds_per_epoch
    if lost is None or lost < 0.005:
        return None
    if seconds is None:
        if f"{lost:.0%}" in finding.summary or f"{1 - lost:.0%}" in finding.summary:
            return None
        return f"{lost:.0%} of the time."
    if seconds >= 90:
        return f"{lost:.0%} of the time, {seconds / 60:.0f} min an epoch."
    return f"{lost:.0%} of the time, {seconds:.0f} s an epoch."
