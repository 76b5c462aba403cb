"""Count the threads that compute in a DataLoader worker: libraries may start one per core in each worker."""

from __future__ import annotations

import contextlib
from typing import Final

WORKING_SHARE: Final = 0.1
"""A thread counts as computing if it used at least this share of the CPU time of the busiest thread in its process."""


class WorkerThreads:
    """Counts the computing threads of a worker between two calls of :meth:`count`."""

    def __init__(self) -> None:
        self._pid = 0
        self._seconds: dict[int, float] = {}

    def count(self, pid: int) -> int | None:
        """Return how many threads of the worker computed since the last call.

        ``None`` at the first call for a process, or if the process ended or did nothing.
        """
        import psutil  # imported here, because a loop without workers does not need it

        seconds: dict[int, float] = {}
        with contextlib.suppress(psutil.Error):  # the worker ended, or its threads can't be listed
            threads = psutil.Process(pid).threads()
            seconds = {each.id: each.user_time + each.system_time for each in threads}
        used = [spent - self._seconds.get(thread, 0.0) for thread, spent in seconds.items()]
        most, first_count = max(used, default=0.0), pid != self._pid
        self._pid, self._seconds = pid, seconds
        if first_count or most <= 0:
            return None
        return sum(each >= WORKING_SHARE * most for each in used)
