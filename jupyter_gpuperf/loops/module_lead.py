"""Choose the module whose calls bound the steps of a loop without a loader and an optimizer, by looks at the loop's thread.

The module in which the thread is most of the time leads. A small one that is called more often is not what a user takes
for the step, and one that is called rarely, such as a critic every tenth round, would join steps that differ. Which one is
called how often would be known only if the calls of all modules were followed.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

WINDOW_SECONDS: Final = 10.0
"""Looks older than this no longer count."""
MOST_LOOKS: Final = 256
LEAST_LOOKS: Final = 3
"""Number of looks in a module before it leads."""
MORE_RATIO: Final = 3.0
"""Another module takes the lead if it is seen more often by this factor: of two that take about as long, the first stays."""
LEFT_SECONDS: Final = 5.0
"""A leader without a call for this time and three of its steps is no longer called by a loop."""


class ModuleLead:
    """Which module leads. A number stands for each module; times are in seconds."""

    def __init__(self) -> None:
        self.leader: int | None = None
        self._looks: deque[tuple[float, int]] = deque(maxlen=MOST_LOOKS)
        self._active_seconds = 0.0

    def look(
        self,
        module: int | None,
        now: float,
        *,
        called_seconds: float = 0.0,
        step_seconds: float = 0.0,
    ) -> int | None:
        """Take a look at the thread, which is in the call of ``module``; return the leader.

        Parameters
        ----------
        called_seconds
            When the leader was last called.
        step_seconds
            The duration of one of its steps.
        """
        if module is not None:
            self._looks.append((now, module))
        if self.leader is not None:
            is_seen = module == self.leader
            self._active_seconds = max(self._active_seconds, called_seconds, now if is_seen else 0)
            if now - self._active_seconds > LEFT_SECONDS + 3 * step_seconds:
                self._forget(self._active_seconds)
        counts = Counter(each for when, each in self._looks if when >= now - WINDOW_SECONDS)
        first = max(counts, key=lambda each: counts[each], default=None)
        if first is not None and first != self.leader:
            least = 0.0 if self.leader is None else MORE_RATIO * counts[self.leader]
            if counts[first] >= max(LEAST_LOOKS, least):
                self.leader, self._active_seconds = first, now
        return self.leader

    def end(self, now: float) -> None:
        """Let no module lead, as another kind of loop runs; looks until now no longer count."""
        self._forget(now)

    def _forget(self, until_seconds: float) -> None:
        self.leader = None
        kept = [each for each in self._looks if each[0] > until_seconds]
        self._looks.clear()
        self._looks.extend(kept)
