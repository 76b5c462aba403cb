"""Check the recent past live with the rules that detect patterns over time.

The watch works on a copy of the history, in the thread of its caller. Neither the sampler's ticks nor the event loop
wait for it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from jupyter_gpuperf.findings.build_rule_input import input_of_history
from jupyter_gpuperf.findings.current_findings import CurrentFindings
from jupyter_gpuperf.findings.wire_format import causes_of, finding_of
from jupyter_gpuperf.rules import (
    Device,
    Finding,
    ProcessListing,
    Rule,
    RuleInput,
    View,
    judge,
    undecided_on,
)
from jupyter_gpuperf.rules.rule_input import OutOfMemoryCell
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.schemas import AlertsChanged, DeviceInfo, FindingsChanged, Frame
from jupyter_gpuperf.schemas import Finding as WireFinding
from jupyter_gpuperf.schemas.findings import UndecidedCauses
from jupyter_gpuperf.schemas.training import LoopSteps

LONG_SECONDS: Final = 60.0
"""Window for rare events such as checkpoints, which must occur twice in it."""
SHORT_SECONDS: Final = 12.0
"""Window for everything but rare events. A change must fill a third of it (4 s) to be noticed. It is reported after two
consecutive checks agree, that is, within 10 s."""
SHORT_READINGS: Final = 20
"""The short window contains at least this many readings, so infrequent readings make it longer."""
WORKING_SECONDS: Final = 5.0
WORKING_PERCENT: Final = 50.0
"""A device counts as busy if its mean utilization over the last ``WORKING_SECONDS`` is at least this high."""
REFRESH_SECONDS: Final = 10.0
"""Time between two updates of the figures of findings that persist."""
FEWEST_READINGS: Final = 8
"""A device with fewer readings is not judged. This many take 0.8 s at the highest rate, and 40 s while no page is
open."""
REPLAY_SECONDS: Final = 15.0
"""A recording begins with the start of its job, which shows nothing. For this long, the findings of its last pass stay."""
YIELD_SECONDS: Final = 0.0002
"""Sleep after each rule. It lets a request of the server run, which would otherwise wait 5 ms for the interpreter."""


@dataclass(eq=False)
class DiagnosisWatch:
    """Keeps the findings of all devices. Use it from one thread at a time.

    Parameters
    ----------
    rules
        All rules; those that are alerts are ignored.
    history
        The past readings of all devices and of the host.
    steps
        Takes a duration in seconds, and returns the steps that step clocks have reported since that long ago.
    failures
        Returns the cells that ran out of memory lately.
    alerts
        Returns the current alerts. A finding whose problem is already reported by an alert is marked, so that pages
        show the problem only once.
    """

    rules: Sequence[Rule]
    history: HistoryStore
    steps: Callable[[float], Sequence[LoopSteps]] = lambda _seconds: ()
    failures: Callable[[], Sequence[OutOfMemoryCell]] = tuple
    alerts: Callable[[], AlertsChanged] = lambda: AlertsChanged(alerts=[])

    def __post_init__(self) -> None:
        self._rules = tuple(_courteous(rule) for rule in self.rules if not rule.notify)
        self._alert_of = {rule.code: rule.alert for rule in self.rules}
        self._listings: dict[str, list[ProcessListing]] = {}
        self._holding = CurrentFindings(self._rules)
        self._refreshed_seconds = -math.inf
        self._marking = threading.Lock()
        self.current = FindingsChanged(findings=[])
        """All current findings, worst first."""

    def message_after(self, _frame: Frame) -> FindingsChanged | None:
        """Update the alert marks at each tick; return all findings if a mark changed, else ``None``."""
        with self._marking:
            marked = self._marked(self.current.findings, self.current.undecided)
            if marked == self.current:
                return None
            self.current = marked
            return marked

    def check(
        self,
        latest: Frame,
        infos: Sequence[DeviceInfo],
        listed: Mapping[str, ProcessListing],
        played_seconds: Mapping[str, float] | None = None,
    ) -> bool:
        """Check the recent past, and return whether the findings changed or their figures were updated.

        Parameters
        ----------
        latest
            The latest frame; its time counts as the current time.
        infos
            The devices that exist now.
        listed
            The current processes of each device; devices whose processes were not listed have no entry.
        played_seconds
            How long ago the recordings of replayed devices began: their earlier readings are not judged.
        """
        now = latest.time_seconds
        self._keep(listed, now)
        played = played_seconds or {}
        rule_input = self._input(latest, infos, played)
        beginning = {uuid for uuid, seconds in played.items() if seconds < REPLAY_SECONDS}
        undecided = [causes_of(each) for each in undecided_on(rule_input.devices, self._rules)]
        beginning_unseen = beginning - {each.device for each in undecided}
        undecided += [x for x in self.current.undecided if x.device in beginning_unseen]
        changed = self._holding.take(
            self._judged(rule_input) if rule_input.devices else (),
            now,
            present={info.uuid for info in infos},
            working=_working(rule_input),
            not_judged=beginning,
        )
        changed |= undecided != self.current.undecided
        if changed or (self.current.findings and now - self._refreshed_seconds >= REFRESH_SECONDS):
            self._refreshed_seconds = now
            with self._marking:
                found = [finding_of(*each) for each in self._holding.current]
                self.current = self._marked(found, undecided)
            return True
        return False

    def _marked(
        self, findings: Sequence[WireFinding], undecided: Sequence[UndecidedCauses]
    ) -> FindingsChanged:
        """Return the findings, each marked with the current alert about the same problem of the same device."""
        alerts = {(each.code, each.device) for each in self.alerts().alerts} if findings else set()

        def marked(finding: WireFinding) -> WireFinding:
            alert = self._alert_of[finding.code]
            holds = (alert, finding.device) in alerts
            return msgspec.structs.replace(finding, alert=alert if holds else None)

        return FindingsChanged(
            findings=[marked(each) for each in findings], undecided=list(undecided)
        )

    def _keep(self, listed: Mapping[str, ProcessListing], now: float) -> None:
        for uuid, listing in listed.items():
            self._listings.setdefault(uuid, []).append(replace(listing, time_seconds=now))
        # Drop old listings, and devices without any: they may be gone for good.
        kept = {
            uuid: [x for x in listings if now - LONG_SECONDS <= x.time_seconds <= now]
            for uuid, listings in self._listings.items()
        }
        self._listings = {uuid: listings for uuid, listings in kept.items() if listings}

    def _judged(self, rule_input: RuleInput) -> list[Finding]:
        interval = min(each.series.interval_seconds for each in rule_input.devices)
        seconds = min(LONG_SECONDS, max(SHORT_SECONDS, SHORT_READINGS * interval))
        found: list[Finding] = []
        for horizon, part in (("long", rule_input), ("short", _last(rule_input, seconds))):
            rules = [rule for rule in self._rules if rule.horizon == horizon]
            found += judge(part, rules, live=True)
        return found

    def _input(
        self, latest: Frame, infos: Sequence[DeviceInfo], played_seconds: Mapping[str, float]
    ) -> RuleInput:
        rule_input = input_of_history(
            *self.history.recent(LONG_SECONDS),
            latest=latest,
            infos=infos,
            listings=self._listings,
            steps=self.steps(SHORT_SECONDS),
        )
        devices = (
            _since(each, latest.time_seconds - played_seconds.get(each.uuid, math.inf))
            for each in rule_input.devices
        )
        enough = tuple(x for x in devices if len(x.series.times_seconds) >= FEWEST_READINGS)
        return replace(rule_input, devices=enough, failures=tuple(self.failures()))


def _since(device: Device, time_seconds: float) -> Device:
    listings = tuple(each for each in device.listings if each.time_seconds >= time_seconds)
    return replace(device, series=device.series.between(time_seconds, math.inf), listings=listings)


def _courteous(rule: Rule) -> Rule:
    def check(view: View) -> Finding | None:
        finding = rule.check(view)
        time.sleep(YIELD_SECONDS)
        return finding

    return replace(rule, check=check)


def _working(rule_input: RuleInput) -> set[str]:
    recent = {each.uuid: each.series.last(WORKING_SECONDS) for each in rule_input.devices}
    busy = {uuid: part.mean("utilization_percent") or 0.0 for uuid, part in recent.items()}
    return {uuid for uuid, percent in busy.items() if percent >= WORKING_PERCENT}


def _last(rule_input: RuleInput, seconds: float) -> RuleInput:
    end = max(each.series.times_seconds[-1] for each in rule_input.devices)
    span = (end - seconds, end)
    devices = tuple(replace(x, series=x.series.between(*span)) for x in rule_input.devices)
    return replace(rule_input, host=rule_input.host.between(*span), devices=devices)
