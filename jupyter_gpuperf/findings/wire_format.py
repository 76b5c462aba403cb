"""Convert findings and alerts to their wire format, which includes the time of their first occurrence and the cost."""

from __future__ import annotations

from dataclasses import asdict

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules import Finding, Undecided
from jupyter_gpuperf.schemas import Alert
from jupyter_gpuperf.schemas import Finding as WireFinding
from jupyter_gpuperf.schemas.findings import UndecidedCauses


def finding_of(finding: Finding, since_seconds: float) -> WireFinding:
    """Return a finding in its wire format; ``since_seconds`` is the time at which it was first found."""
    return WireFinding(since_seconds=since_seconds, cost=cost_of(finding), **asdict(finding))


def causes_of(undecided: Undecided) -> UndecidedCauses:
    """Return the causes that can't be decided in their wire format."""
    return UndecidedCauses(**undecided._asdict())


def alert_of(finding: Finding, since_seconds: float) -> Alert:
    """Return the finding of an alert rule in its wire format."""
    values = asdict(finding)
    shared = {name: values[name] for name in values.keys() & set(Alert.__struct_fields__)}
    return Alert(since_seconds=since_seconds, **shared)


def cost_of(finding: Finding) -> str | None:
    """Return the lost time as text; ``None`` if it is unknown, below 0.5 %, or already in the summary."""
    percent, seconds = 100 * (finding.lost_ratio or 0.0), finding.lost_seconds_per_epoch
    if percent < 0.5:
        return None
    if seconds is None:
        is_in_summary = any(f"{each:.0f} %" in finding.summary for each in (percent, 100 - percent))
        return None if is_in_summary else Message("{percent:.0f} % of the time.", percent=percent)
    return Message(
        "{percent:.0f} % of the time, {seconds:.0f} s per epoch."
        if seconds < 90
        else "{percent:.0f} % of the time, {minutes:.0f} min per epoch.",
        percent=percent,
        seconds=seconds,
        minutes=seconds / 60,
    )
