"""What was found while a run's loops ran, for the summary after its end: by then, nothing holds any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.schemas import Finding

SMALLEST_SHARE: Final = 0.25
"""A finding that held for less of the time is not a finding about the run, unless it held to the end."""
FEWEST_LOOKS: Final = 20
"""Looks at a running job, about one a second, after which a cause would have been found."""
RANKS: Final = {"critical": 0, "warning": 1, "info": 2}


@dataclass
class _Cause:
    finding: Finding
    looks_count: int = 0
    held_last: bool = True


class FoundCauses:
    """The findings of all looks at a run."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str | None], _Cause] = {}
        self._looks_count = 0

    def add(self, findings: Sequence[Finding], *, is_active: bool) -> list[Finding]:
        """Take what holds now, unless the run does nothing at the moment; return what is new."""
        if not is_active:
            return []
        self._looks_count += 1
        for each in self._causes.values():
            each.held_last = False
        new: list[Finding] = []
        for finding in findings:
            key = (finding.code, finding.device)
            cause = self._causes.get(key)
            if cause is None:
                cause = self._causes[key] = _Cause(finding)
                new.append(finding)
            elif cause.finding.confidence != finding.confidence:
                new.append(finding)
            cause.finding, cause.held_last = finding, True
            cause.looks_count += 1
        return new

    @property
    def is_judged(self) -> bool:
        """Whether a lack of findings means anything."""
        return self._looks_count >= FEWEST_LOOKS

    def results(self) -> list[Finding]:
        """Return what held for a good part of the time, or to the end; the worst first."""
        fewest = SMALLEST_SHARE * self._looks_count
        held = [x for x in self._causes.values() if x.held_last or x.looks_count >= fewest]
        ordered = sorted(held, key=lambda each: (RANKS[each.finding.severity], -each.looks_count))
        return [each.finding for each in ordered]
