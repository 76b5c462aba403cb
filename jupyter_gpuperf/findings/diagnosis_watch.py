"""Diagnoses what is sampled while it happens, and holds off so that nothing flickers.

It looks at a copy of the history, in whatever thread calls it: neither the sampler's ticks nor the event loop wait
for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from jupyter_gpuperf.diagnose import Finding, Listing, Rule, Steps, View, Window, diagnose
from jupyter_gpuperf.findings.rule_inputs import window_of_past
from jupyter_gpuperf.findings.wire import told
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.schemas import DeviceInfo, FindingsChanged, Frame

LONG_SECONDS: Final = 60.0
"""What comes rarely, as a checkpoint, must have come twice in it."""
SHORT_SECONDS: Final = 12.0
"""A change must fill a third of it to be noticed: 4 s; with two looks that agree, it is told within 10 s."""
SHORT_READINGS: Final = 20
"""Rare readings need longer to tell anything."""
AFTER_SECONDS: Final = 1.5
"""Told when two looks agree: they are about two seconds apart."""
UNTIL_SECONDS: Final = 15.0
"""Taken back when it was not found for so long: an epoch's end is no cure."""
WORKING_SECONDS: Final = 5.0
"""The same where the device has worked for so long: there was something to judge, and it was not found."""
WORKING_PERCENT: Final = 50.0
REFRESH_SECONDS: Final = 10.0
"""Figures of a finding that stays are told anew so often."""
FEWEST_READINGS: Final = 8
"""Less tells nothing; it is 0.8 s at the highest rate and 40 s while nobody looks."""


COURTESY_SECONDS: Final = 0.0002
"""After each rule: a request of the server may want the interpreter, and would wait 5 ms for it."""


class _Key(NamedTuple):
    code: str
    device: str | None


class DiagnosisWatch:
    """Keeps the findings of all devices; used from one thread at a time.

    Parameters
    ----------
    rules
        What it looks for.
    history
        The readings.
    steps
        Gives what step clocks told of the last so many seconds.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        history: HistoryStore,
        steps: Callable[[float], Sequence[Steps]] = lambda _seconds: (),
    ) -> None:
        self._rules = tuple(map(_courteous, rules))
        self._history = history
        self._steps = steps
        self._listings: dict[str, list[Listing]] = {}
        self._found_since: dict[_Key, float] = {}
        self._found_last: dict[_Key, float] = {}
        self._findings: dict[_Key, Finding] = {}
        self._told_seconds = -math.inf
        self._now = -math.inf
        self._told = FindingsChanged(findings=[])

    @property
    def told(self) -> FindingsChanged:
        """All findings that hold now, the worst first."""
        return self._told

    def look(
        self,
        latest: Frame,
        infos: Sequence[DeviceInfo],
        listed: Mapping[str, Listing],
    ) -> bool:
        """Look at the recent past, and tell whether there is news.

        Parameters
        ----------
        latest
            The newest frame; its time is the clock.
        listed
            Each device's processes as they are now; a device without an entry was not listed.
        """
        now = latest.time_seconds
        if now < self._now:  # the clock was set back: durations begin anew
            self._found_since, self._found_last, self._listings = {}, {}, {}
        self._now = now
        self._keep(listed, now)
        window = self._window(LONG_SECONDS, latest, infos)
        found = {_Key(each.code, each.device): each for each in self._diagnosed(window)}
        before = {key: each.severity for key, each in self._findings.items()}
        self._decide(found, now, _working(window))
        present = {info.uuid for info in infos}
        for key in [key for key in self._findings if key.device not in present]:
            del self._findings[key]
        changed = before != {key: each.severity for key, each in self._findings.items()}
        if changed or (self._findings and now - self._told_seconds >= REFRESH_SECONDS):
            self._told_seconds = now
            self._told = self._as_told()
            return True
        return False

    def _keep(self, listed: Mapping[str, Listing], now: float) -> None:
        for uuid, listing in listed.items():
            kept = self._listings.setdefault(uuid, [])
            kept.append(replace(listing, time_seconds=now))
            self._listings[uuid] = [
                each for each in kept if each.time_seconds >= now - LONG_SECONDS
            ]

    def _diagnosed(self, window: Window | None) -> list[Finding]:
        found: list[Finding] = []
        if window is None:
            return found
        interval = min(each.series.interval_seconds for each in window.devices)
        short_seconds = min(LONG_SECONDS, max(SHORT_SECONDS, SHORT_READINGS * interval))
        horizons = {"long": window, "short": _last(window, short_seconds)}
        for horizon, part in horizons.items():
            rules = [rule for rule in self._rules if rule.horizon == horizon]
            found += diagnose(part, rules, live=True)
        return found

    def _window(self, seconds: float, latest: Frame, infos: Sequence[DeviceInfo]) -> Window | None:
        devices, host = self._history.recent(seconds)
        window = window_of_past(
            devices,
            host,
            latest=latest,
            infos=infos,
            listings=self._listings,
            steps=self._steps(SHORT_SECONDS),
        )
        enough = tuple(
            each for each in window.devices if len(each.series.times_seconds) >= FEWEST_READINGS
        )
        return replace(window, devices=enough) if enough else None

    def _decide(self, found: Mapping[_Key, Finding], now: float, working: Collection[str]) -> None:
        for key, finding in found.items():
            since = self._found_since.setdefault(key, now)
            self._found_last[key] = now
            if now - since >= AFTER_SECONDS or finding.severity == "critical":
                self._findings[key] = finding
        for key in [key for key in self._found_since if key not in found]:
            # What was not yet told must be found again from the start.
            told = key in self._findings
            until = WORKING_SECONDS if key.device in working else UNTIL_SECONDS
            patience = until if told else 0.0
            if now - self._found_last[key] >= patience:
                self._found_since.pop(key)
                self._findings.pop(key, None)

    def _as_told(self) -> FindingsChanged:
        places = {rule.code: place for place, rule in enumerate(self._rules)}
        urgency = {"critical": 0, "warning": 1, "info": 2}
        ordered = sorted(
            self._findings.items(),
            key=lambda item: (urgency[item[1].severity], places[item[0].code]),
        )
        return FindingsChanged(
            findings=[told(finding, self._found_since[key]) for key, finding in ordered]
        )


def _courteous(rule: Rule) -> Rule:
    def check(view: View) -> Finding | None:
        finding = rule.check(view)
        time.sleep(COURTESY_SECONDS)
        return finding

    return replace(rule, check=check)


def _working(window: Window | None) -> set[str]:
    """Return the devices that work now: their readings tell of trouble, or that there is none."""
    working = set()
    for device in window.devices if window else ():
        end = device.series.times_seconds[-1]
        busy = device.series.between(end - WORKING_SECONDS, end).mean("utilization_percent")
        if busy is not None and busy >= WORKING_PERCENT:
            working.add(device.uuid)
    return working


def _last(window: Window, seconds: float) -> Window:
    ends = [each.series.times_seconds[-1] for each in window.devices]
    start, end = max(ends) - seconds, max(ends)
    return replace(
        window,
        host=window.host.between(start, end),
        devices=tuple(
            replace(each, series=each.series.between(start, end)) for each in window.devices
        ),
    )
