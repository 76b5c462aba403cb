"""What an alert rule is, and the readings that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas import Reading

Severity = Literal["info", "warning", "critical"]
Evidence = dict[str, "float | str"]


class Window(Struct, frozen=True, kw_only=True):
    """The newest readings of one device, or of the host.

    ``times_seconds`` and ``readings`` have the same length, oldest first, and at least one entry.
    """

    times_seconds: Sequence[float]
    readings: Sequence[Mapping[str, Reading]]

    def value(self, metric: str) -> float | None:
        """Return the newest reading, or ``None`` where it is missing."""
        reading = self.readings[-1].get(metric)
        return reading if isinstance(reading, float) else None

    def last(self, seconds: float) -> Window:
        """Return the part that is at most ``seconds`` old."""
        oldest = self.times_seconds[-1] - seconds
        first = next(i for i, time in enumerate(self.times_seconds) if time >= oldest)
        return Window(times_seconds=self.times_seconds[first:], readings=self.readings[first:])

    def values(self, metric: str) -> list[tuple[float, float]]:
        """Return the times and values of a metric, without the ticks that had none."""
        pairs = zip(self.times_seconds, self.readings, strict=True)
        return [
            (time, value)
            for time, readings in pairs
            if isinstance(value := readings.get(metric), float)
        ]

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric over the window, or ``None`` where it has no value."""
        values = [value for _, value in self.values(metric)]
        return sum(values) / len(values) if values else None


class Found(Struct, frozen=True, kw_only=True):
    """What a rule found: how bad it is, in words, and the figures behind it."""

    severity: Severity
    summary: str
    advice: str
    evidence: Evidence


class AlertRule(Struct, frozen=True, kw_only=True):
    """One thing that needs the user's attention.

    Parameters
    ----------
    code
        What the alert is called on the wire.
    needs
        The metrics that ``check`` looks at.
    check
        Pure: a window in, what was found out; ``None`` when all is well or nothing can be said.
    after_seconds, until_seconds
        It is told when it was found for so long, and taken back when it was not for so long.
    """

    code: str
    scope: Literal["device", "host"]
    needs: tuple[str, ...]
    check: Callable[[Window], Found | None]
    after_seconds: float = 5.0
    until_seconds: float = 15.0
