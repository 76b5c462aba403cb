"""Check the frames of readings with the alert rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_gpuperf.findings.current_findings import CurrentFindings
from jupyter_gpuperf.findings.wire_format import alert_of
from jupyter_gpuperf.rules import Device, Finding, ReadingSeries, Rule, RuleInput, View
from jupyter_gpuperf.rules.judge import findings_of
from jupyter_gpuperf.schemas import AlertsChanged, Frame, Reading

SPACING_SECONDS: Final = 1.0
"""Minimum time between two checked frames: alerts don't change within a tenth of a second."""
KEPT_READINGS: Final = 600
"""Readings kept per device: at least ten minutes."""
HOST: Final = ""

_Kept = tuple[list[float], dict[str, list[Reading]]]


class AlertWatch:
    """Keeps the alerts of all devices and of the machine. Use it from one thread only."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.notify]
        self._holding = CurrentFindings(self._rules)
        self._kept: dict[str, _Kept] = {}
        """Device UUID (``HOST`` for the machine) → times and columns of the metrics that the rules use."""
        self._checked_seconds = -math.inf
        self.current = AlertsChanged(alerts=[])
        """All current alerts, worst first."""

    def message_after(self, frame: Frame) -> AlertsChanged | None:
        """Check a frame; return all alerts if one appeared, ended or changed its severity, else ``None``."""
        now = frame.time_seconds
        if 0 <= now - self._checked_seconds < SPACING_SECONDS:
            return None
        if now < self._checked_seconds:  # the clock was set back
            self._kept.clear()
        self._checked_seconds = now
        for gone in self._kept.keys() - {HOST, *frame.devices}:
            del self._kept[gone]
        found = self._check(HOST, frame.host, now)
        for uuid, readings in frame.devices.items():
            found += self._check(uuid, readings, now)
        changed = self._holding.take(found, now, present={None, *frame.devices})
        # Always assign a new object: a request may be reading the old one in another thread.
        self.current = AlertsChanged(alerts=[alert_of(*each) for each in self._holding.current])
        return self.current if changed else None

    def _check(self, uuid: str, readings: Mapping[str, Reading], now: float) -> list[Finding]:
        scope = "host" if uuid == HOST else "device"
        rules = [rule for rule in self._rules if rule.scope == scope]
        times, columns = self._kept.setdefault(uuid, ([], {}))
        times.append(now)
        del times[:-KEPT_READINGS]
        for name in {name for rule in rules for name in (*rule.needs, *rule.reads)}:
            column = columns.setdefault(name, [])
            column.append(readings.get(name, "not_recorded"))
            del column[:-KEPT_READINGS]
        series = ReadingSeries(times_seconds=times, columns=columns)
        device = Device(uuid=uuid, index=0, name=uuid, series=series)
        view = View(rule_input=RuleInput(), device=device, series=series, host_series=series)
        return findings_of(rules, view)
