"""The time that is left, and saying so. Standard library only."""

from __future__ import annotations

import time
from typing import Final

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.tuning.time_limit import Alarm

SAY_SECONDS: Final = 0.2


class Countdown:
    """The time that is left, and saying so."""

    def __init__(self, budget_seconds: float, context: Context) -> None:
        self._budget, self._context = budget_seconds, context
        self._began, self._said = time.monotonic(), 0.0
        self._words = "Looking at items"
        self.alarm = Alarm()

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._budget - self.passed()

    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._began

    def say(self, words: str) -> None:
        """Say what is going on."""
        self._words = words
        if time.monotonic() - self._said >= SAY_SECONDS:
            with self.alarm.held():
                self.look()

    def look(self) -> None:
        """Say again what is going on, and see whether it is still wanted."""
        self._said = time.monotonic()
        left = max(0.0, self.left())
        ratio = min(1.0, self.passed() / self._budget)
        self._context.progress(ratio, f"{self._words} · at most {left:.0f} s left")
