"""Count the threads that compute in a DataLoader worker: libraries may start one per core in each worker."""

from __future__ import annotations

import contextlib
from typing import Final

WORKING_SHARE: Final = 0.1
"""A thread counts as working if it used this share of the CPU time of the busiest thread in its process."""


class WorkerThreads:
    """Checks a worker's threads now and then."""

    def __init__(self) -> None:
        self._pid = 0
        self._seconds: dict[int, float] = {}

    def look(self, pid: int) -> int | None:
        """Return how many of the worker's threads computed since the last look; ``None`` if unknown."""
        import psutil  # imported here: most kernels have loaded it, and a loop without workers does not need it

        seconds: dict[int, float] = {}
        with contextlib.suppress(psutil.Error):  # it ended, or the system lists no threads
            threads = psutil.Process(pid).threads()
            seconds = {each.id: each.user_time + each.system_time for each in threads}
        used = [spent - self._seconds.get(thread, 0.0) for thread, spent in seconds.items()]
        most, first_look = max(used, default=0.0), pid != self._pid
        self._pid, self._seconds = pid, seconds
        if first_look or most <= 0:
            return None
        return sum(each >= WORKING_SHARE * most for each in used)
