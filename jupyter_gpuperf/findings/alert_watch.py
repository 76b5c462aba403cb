"""Looks at every frame with every rule, and knows since when each alert holds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from jupyter_gpuperf.alerts.declaration import AlertRule, Found, Window
from jupyter_gpuperf.schemas import Alert, Frame, Reading

SPACING_SECONDS: Final = 1.0
"""Rules look at a reading a second at most: a tenth of a second changes nothing."""
KEPT: Final = 600
"""Readings that are kept per device: ten minutes."""
HOST: Final = ""


class _Key(NamedTuple):
    code: str
    device: str


class AlertWatch:
    """Keeps the alerts of all devices and of the host; used from one thread."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = rules
        self._needs = {name for rule in rules for name in rule.needs}
        self._times: dict[str, deque[float]] = {}
        self._readings: dict[str, deque[dict[str, Reading]]] = {}
        self._found_since: dict[_Key, float] = {}
        self._found_last: dict[_Key, float] = {}
        self._alerts: dict[_Key, Alert] = {}
        self._looked_seconds = -math.inf

    @property
    def alerts(self) -> list[Alert]:
        """All alerts that hold now, the most urgent rule first."""
        places = {rule.code: place for place, rule in enumerate(self._rules)}
        return sorted(self._alerts.values(), key=lambda each: places[each.code])

    def observe(self, frame: Frame) -> bool:
        """Look at a frame, and tell whether an alert came, went or got worse."""
        now = frame.time_seconds
        if 0 <= now - self._looked_seconds < SPACING_SECONDS:
            return False
        if now < self._looked_seconds:  # the clock was set back: durations begin anew
            self._times, self._readings = {}, {}
            self._found_since, self._found_last = {}, {}
        self._looked_seconds = now
        before = {key: alert.severity for key, alert in self._alerts.items()}
        self._look(HOST, "host", frame.host, now)
        for uuid, readings in frame.devices.items():
            self._look(uuid, "device", readings, now)
        self._forget({HOST, *frame.devices})
        return before != {key: alert.severity for key, alert in self._alerts.items()}

    def _look(self, device: str, scope: str, readings: Mapping[str, Reading], now: float) -> None:
        times = self._times.setdefault(device, deque(maxlen=KEPT))
        kept = self._readings.setdefault(device, deque(maxlen=KEPT))
        times.append(now)
        kept.append({name: readings[name] for name in self._needs if name in readings})
        window = Window(times_seconds=list(times), readings=list(kept))
        for rule in self._rules:
            if rule.scope == scope:
                self._decide(rule, _Key(rule.code, device), rule.check(window), now)

    def _decide(self, rule: AlertRule, key: _Key, found: Found | None, now: float) -> None:
        if found is None:
            if now - self._found_last.get(key, -math.inf) >= rule.until_seconds:
                self._found_since.pop(key, None)
                self._alerts.pop(key, None)
            return
        since = self._found_since.setdefault(key, now)
        self._found_last[key] = now
        if now - since >= rule.after_seconds:
            self._alerts[key] = Alert(
                code=rule.code,
                severity=found.severity,
                device=key.device or None,
                since_seconds=since,
                summary=found.summary,
                advice=found.advice,
                evidence=found.evidence,
            )

    def _forget(self, present: set[str]) -> None:
        for device in [each for each in self._times if each not in present]:
            del self._times[device], self._readings[device]
        for key in [each for each in self._alerts if each.device not in present]:
            del self._alerts[key]
