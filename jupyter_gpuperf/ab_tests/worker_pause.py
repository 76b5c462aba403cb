"""Holds a loader's workers still while another one is measured: they would fill their queue, and use the processors.

A process that is held can't notice that its notebook has died. So a guard, a process of its own, ends those that are
held when the notebook is gone, however it ended. Letting them go would not do: a worker that was held before it noted
who its parent is would take the one that adopts it for its parent, and wait for ever. Where a system has no such signals,
none is held.
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
"""Looks for its parent itself: the notebook's other children hold the pipe's end, too, so that it may never close."""


PATIENCE_SECONDS: Final = 20.0


class WorkerPause:
    """The processes that are held now.

    Parameters
    ----------
    patience_seconds
        What runs meanwhile may take longer by so much than it should; then nobody is held any more, because it may
        wait for what a held process has: a lock that all copies of a data set share.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._held: set[int] = set()
        self._given_up = False
        self._changing = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether processes that should stand still do."""
        return AVAILABLE and not self._given_up

    @contextlib.contextmanager
    def during(self, seconds: float) -> Iterator[None]:
        """What runs within should take so long at most."""
        timer = threading.Timer(seconds + self._patience_seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def hold(self, pids: Iterable[int]) -> None:
        """Hold processes; those that have ended are none."""
        with self._changing:
            wanted = set(pids) - self._held
            if not self.is_kept or not wanted:
                return
            self._tell_guard(self._held | wanted)  # first: from now on they may be held
            for pid in wanted:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    self._held.add(pid)

    def let_go(self, pids: Iterable[int]) -> None:
        """Let processes go on."""
        with self._changing:
            for pid in self._held.intersection(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                self._held.discard(pid)

    def close(self) -> None:
        """Let all go on, and do without the guard."""
        self.let_go(set(self._held))
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()  # closes the pipe, too
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
                start_new_session=True,  # an interrupt of the notebook is not for it
            )
        assert self._guard.stdin is not None  # it is a pipe
        self._guard.stdin.write(" ".join(map(str, sorted(pids))).encode() + b"\n")
        self._guard.stdin.flush()
