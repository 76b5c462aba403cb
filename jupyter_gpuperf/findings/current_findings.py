"""Keep the current findings. A problem is reported after it has persisted, and withdrawn after it has been absent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from jupyter_gpuperf.rules import Finding, Rule
from jupyter_gpuperf.rules.judge import worst_first
from jupyter_gpuperf.rules.rule import Severity


class _Key(NamedTuple):
    code: str
    device: str | None


class CurrentFindings:
    """Keeps the current findings on all devices and on the machine. Use it from one thread at a time."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = {rule.code: rule for rule in rules}
        self._since: dict[_Key, float] = {}
        self._last: dict[_Key, float] = {}
        self._reported: dict[_Key, Finding] = {}
        self._now = float("-inf")

    @property
    def current(self) -> list[tuple[Finding, float]]:
        """All current findings, worst first, each with the time at which it was first found."""
        ordered = worst_first(self._reported.values(), list(self._rules.values()))
        return [(each, self._since[_Key(each.code, each.device)]) for each in ordered]

    def take(
        self,
        findings: Iterable[Finding],
        now: float,
        *,
        present: Collection[str | None],
        working: Collection[str | None] = (),
        not_judged: Collection[str | None] = (),
    ) -> bool:
        """Take the findings of one check; return whether a reported one appeared, ended or changed its severity.

        Parameters
        ----------
        now
            The time of the check, in seconds.
        present
            The devices that exist now, and ``None`` for the machine. Findings on other devices are withdrawn.
        working
            The devices that are busy now; see :attr:`HoldOff.until_working_seconds`.
        not_judged
            The devices that this check could not judge: their reported findings stay.
        """
        if now < self._now:  # the clock was set back: durations restart
            self._since, self._last = (
                dict.fromkeys(self._reported, now),
                dict.fromkeys(self._reported, now),
            )
        self._now = now
        before = self._severities()
        found = {_Key(each.code, each.device): each for each in findings}
        for key, finding in found.items():
            self._last[key] = now
            seconds = now - self._since.setdefault(key, now)
            holds_off = self._rules[key.code].holds_off
            at_once = holds_off.critical_at_once and finding.severity == "critical"
            if at_once or seconds >= holds_off.after_seconds:
                self._reported[key] = finding
        self._last |= {key: now for key in self._reported if key.device in not_judged}
        for key in [key for key in self._since if key not in found]:
            if key.device not in present or self._is_over(key, now, working):
                self._since.pop(key)
                self._reported.pop(key, None)
        return before != self._severities()

    def _is_over(self, key: _Key, now: float, working: Collection[str | None]) -> bool:
        if key not in self._reported:
            return True  # a problem that was not yet reported must persist anew
        holds_off = self._rules[key.code].holds_off
        until = holds_off.until_seconds
        if key.device in working and holds_off.until_working_seconds is not None:
            until = holds_off.until_working_seconds
        return now - self._last[key] >= until

    def _severities(self) -> dict[_Key, Severity]:
        return {key: finding.severity for key, finding in self._reported.items()}
