"""Estimate a job's remaining time from its progress, only while its pace is steady.

Most benchmarks report the share of their time limit that has passed, and end early once the interval is narrow
enough. So the estimate is an upper bound of the remaining time.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

SHORTEST_SECONDS: Final = 1.0
"""Shortest time of progress from which the pace is estimated."""
LEAST_RATIO: Final = 0.02
"""After less progress, there is no estimate."""
MOST_PACE_RATIO: Final = 2.0
"""Maximum ratio between the pace of the later half and of the whole. Beyond it, there is no estimate."""
NEW_ESTIMATE_WEIGHT: Final = 0.3
"""Weight of a new estimate against the earlier ones: a time that jumps is hard to read."""
JUMP_RATIO: Final = 0.5
"""If a new estimate differs by more than this share of the remaining time, neither it nor the old one is used."""
SMALL_JUMP_SECONDS: Final = 2.0
"""A smaller difference is never a jump."""
SILENCE_RATIO: Final = 0.5
"""No progress for this share of the time so far, and for :data:`SHORTEST_SILENCE_SECONDS`, means a stall."""
SHORTEST_SILENCE_SECONDS: Final = 5.0
MOST_KEPT: Final = 256
"""Maximum number of progress reports in memory."""


class RemainingTime:
    """Estimates the remaining time from the progress. All times are seconds of one clock."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._end_seconds: float | None = None

    def observe(self, now_seconds: float, ratio: float) -> None:
        """Record the progress. The time before the first call does not count towards the pace."""
        if not (self._seen[-1][1] if self._seen else 0) < ratio < 1:
            return
        self._seen.append((now_seconds, ratio))
        # Drop every second entry, so that the rest still spans the whole time.
        if len(self._seen) > MOST_KEPT:
            self._seen = deque([self._seen[0], *list(self._seen)[2:-1:2], self._seen[-1]])
        end = self._estimate()
        before, self._end_seconds = self._end_seconds, end
        if end is not None and before is not None:
            jump = abs(end - before)
            if jump > max(SMALL_JUMP_SECONDS, JUMP_RATIO * (max(end, before) - now_seconds)):
                self._end_seconds = None  # trust neither estimate: the next one will decide
            else:
                self._end_seconds = before + NEW_ESTIMATE_WEIGHT * (end - before)

    def seconds(self, now_seconds: float) -> float | None:
        """Return the maximum remaining time in seconds; ``None`` while it can't be estimated."""
        if self._end_seconds is None:
            return None
        silent = now_seconds - self._seen[-1][0]
        lasted = self._seen[-1][0] - self._seen[0][0]
        if silent > max(SHORTEST_SILENCE_SECONDS, SILENCE_RATIO * lasted):
            return None
        left = self._end_seconds - now_seconds
        return left if left > 0 else None  # overdue: the job takes longer than its pace suggested

    def _estimate(self) -> float | None:
        (first_seconds, first_ratio), (last_seconds, last_ratio) = self._seen[0], self._seen[-1]
        lasted, done = last_seconds - first_seconds, last_ratio - first_ratio
        if lasted < SHORTEST_SECONDS or done < LEAST_RATIO:
            return None
        middle_seconds, middle_ratio = next(
            each for each in reversed(self._seen) if each[0] <= first_seconds + lasted / 2
        )
        whole = done / lasted
        later = (last_ratio - middle_ratio) / (last_seconds - middle_seconds)
        if not 1 / MOST_PACE_RATIO <= later / whole <= MOST_PACE_RATIO:
            return None
        return last_seconds + (1 - last_ratio) / math.sqrt(whole * later)
