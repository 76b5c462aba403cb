"""How many threads compute in a DataLoader's worker: libraries in it may start one per core, in each worker."""

from __future__ import annotations

from pathlib import Path
from typing import Final

WORKING_SHARE: Final = 0.1
"""A thread works that used so much of the processor time of the busiest one of its process."""


class WorkerThreads:
    """Looks at a worker's threads now and then.

    Parameters
    ----------
    proc
        Where the system shows its processes.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._pid = 0
        self._ticks: dict[str, int] = {}

    def look(self, pid: int) -> int | None:
        """Return how many of the worker's threads computed since the look before, or ``None``."""
        ticks = self._read(pid)
        known, self._ticks = (self._ticks if pid == self._pid else {}), ticks
        first_look, self._pid = pid != self._pid, pid
        used = [count - known.get(thread, 0) for thread, count in ticks.items()]
        most = max(used, default=0)
        if first_look or most == 0:
            return None
        return sum(each >= WORKING_SHARE * most for each in used)

    def _read(self, pid: int) -> dict[str, int]:
        ticks = {}
        try:
            for thread in (self._proc / str(pid) / "task").iterdir():
                # After the name, which may hold anything, in brackets: state is field 3, utime 14, stime 15.
                fields = (thread / "stat").read_text().rpartition(")")[2].split()
                ticks[thread.name] = int(fields[11]) + int(fields[12])
        except (OSError, ValueError, IndexError):
            return {}  # it has ended, or this system shows no such thing
        return ticks
