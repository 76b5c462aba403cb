"""Pause a loader's workers while another loader is measured: they would fill their queue and use the CPUs.

A paused process can't notice that its notebook has died. So a guard process terminates the paused ones when the
notebook is gone, however it ended. Resuming them is not enough: a worker paused before it noted its parent would take
the process that adopts it for its parent and wait forever. On systems without such signals, no process is paused.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Final

AVAILABLE: Final = hasattr(signal, "SIGSTOP")

GUARD: Final = """
import os, select, signal, sys
notebook, held = int(sys.argv[1]), []
while True:
    lives = os.getppid() == notebook
    if select.select([0], [], [], 0.5 if lives else 0)[0]:
        said = os.read(0, 65536)
        if not said:
            break
        held = said.splitlines()[-1].split()
    elif not lives:
        break
def is_held(pid):  # those that were let go, or whose number another process has, see to themselves
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False
for each in map(int, held):
    try:
        if is_held(each):
            os.kill(each, signal.SIGTERM)
        os.kill(each, signal.SIGCONT)
    except OSError:
        pass
"""
"""Checks its parent itself: the notebook's other children also hold the pipe's end, so it may never close."""


PATIENCE_SECONDS: Final = 20.0


class WorkerPause:
    """The processes that are paused now.

    Parameters
    ----------
    patience_seconds
        How much longer than expected code may run during a pause. After that no process is paused any more, because the
        code may wait for a paused one: for example for a lock shared by all copies of a dataset.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._held: set[int] = set()
        self._given_up = False
        self._changing = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether pausing works: the system supports it and it was not given up."""
        return AVAILABLE and not self._given_up

    @contextlib.contextmanager
    def during(self, seconds: float) -> Iterator[None]:
        """Give up pausing if the body takes longer than ``seconds`` plus the patience."""
        timer = threading.Timer(seconds + self._patience_seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def hold(self, pids: Iterable[int]) -> None:
        """Pause processes; ignore those that have ended."""
        with self._changing:
            wanted = set(pids) - self._held
            if not self.is_kept or not wanted:
                return
            self._tell_guard(self._held | wanted)  # first: from now on they may be paused
            for pid in wanted:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    self._held.add(pid)

    def let_go(self, pids: Iterable[int]) -> None:
        """Resume processes."""
        with self._changing:
            for pid in self._held.intersection(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                self._held.discard(pid)

    def close(self) -> None:
        """Resume all processes and end the guard."""
        self.let_go(set(self._held))
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()  # also closes the pipe
            self._guard = None

    def _give_up(self) -> None:
        with self._changing:
            self._given_up = True
            self.let_go(set(self._held))

    def _tell_guard(self, pids: Iterable[int]) -> None:
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it does not get the notebook's interrupts
            )
        assert self._guard.stdin is not None  # it is a pipe
        self._guard.stdin.write(" ".join(map(str, sorted(pids))).encode() + b"\n")
        self._guard.stdin.flush()
