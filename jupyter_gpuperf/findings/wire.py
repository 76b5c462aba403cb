"""Convert findings and alerts for people and for the wire: with their cost in words, and since when they hold."""

from __future__ import annotations

from dataclasses import asdict

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules import Finding
from jupyter_gpuperf.schemas import Alert
from jupyter_gpuperf.schemas import Finding as WireFinding


def finding_of(finding: Finding, since_seconds: float) -> WireFinding:
    """Return a finding in its wire format."""
    return WireFinding(since_seconds=since_seconds, cost=cost_of(finding), **asdict(finding))


def alert_of(finding: Finding, since_seconds: float) -> Alert:
    """Return the finding of a rule that notifies in its wire format."""
    told = {name: each for name, each in asdict(finding).items() if name in Alert.__struct_fields__}
    return Alert(since_seconds=since_seconds, **told)


def cost_of(finding: Finding) -> str | None:
    """Return the lost time in words; ``None`` where it is unknown, under 0.5 %, or already in the summary."""
    lost, seconds = finding.lost_ratio, finding.lost_seconds_per_epoch
    if lost is None or lost < 0.005:
        return None
    if seconds is None:
        is_told = f"{lost:.0%}" in finding.summary or f"{1 - lost:.0%}" in finding.summary
        return None if is_told else Message("{lost:.0%} of the time.", lost=lost)
    if seconds >= 90:
        return Message(
            "{lost:.0%} of the time, {seconds:.0f} min an epoch.", lost=lost, seconds=seconds / 60
        )
    return Message("{lost:.0%} of the time, {seconds:.0f} s an epoch.", lost=lost, seconds=seconds)
