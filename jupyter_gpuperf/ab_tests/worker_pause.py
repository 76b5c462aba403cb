"""Pause a loader's workers while another loader is measured: they would fill their queue and use the CPUs.

A paused process can't notice that its notebook has died. A guard process therefore terminates the paused processes when
the notebook has ended for any reason. Resuming them is not enough: a worker that was paused before it stored its
parent's pid would mistake the process that adopts it for its parent, and wait forever. On systems without ``SIGSTOP``,
no process is paused.
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
import contextlib, os, select, signal, sys
notebook, paused = int(sys.argv[1]), []
while True:
    lives = os.getppid() == notebook
    if select.select([0], [], [], 0.5 if lives else 0)[0]:
        lines = os.read(0, 65536).splitlines()
        if not lines:
            break
        paused = lines[-1].split()
    elif not lives:
        break
for pid in map(int, paused):
    # Spare a process that was resumed, or another one that got its number.
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        if stat.read().rpartition(")")[2].split()[0] in "Tt":
            os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGCONT)
"""
"""Code of the guard process. It checks for itself whether its parent lives: other child processes of the notebook also
hold the pipe's write end, so the pipe may never close."""


PATIENCE_SECONDS: Final = 20.0


class WorkerPause:
    """Pauses and resumes worker processes.

    Parameters
    ----------
    patience_seconds
        How much longer than expected code may run during a pause. After that, all processes are resumed and none is
        paused again, because the code may be waiting for a paused process: for example, for a lock shared by all copies
        of a dataset.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._paused: set[int] = set()
        self._given_up = False
        self._lock = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def is_possible(self) -> bool:
        """Whether processes can be paused: the system supports it, and pausing has not been given up."""
        return AVAILABLE and not self._given_up

    @contextlib.contextmanager
    def giving_up_after(self, seconds: float) -> Iterator[None]:
        """Give up pausing if the body takes longer than ``seconds`` plus ``patience_seconds``."""
        timer = threading.Timer(seconds + self._patience_seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def pause(self, pids: Iterable[int]) -> None:
        """Pause processes; ignore those that have ended."""
        with self._lock:
            running = set(pids) - self._paused
            if not self.is_possible or not running:
                return
            self._report_to_guard(self._paused | running)  # before any of them is paused
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    self._paused.add(pid)

    def resume(self, pids: Iterable[int]) -> None:
        """Resume those of these processes that are paused."""
        with self._lock:
            for pid in self._paused.intersection(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                self._paused.discard(pid)

    def close(self) -> None:
        """Resume all processes and end the guard."""
        self.resume(set(self._paused))
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()  # also closes the pipe
            self._guard = None

    def _give_up(self) -> None:
        with self._lock:
            self._given_up = True
            self.resume(set(self._paused))

    def _report_to_guard(self, pids: Iterable[int]) -> None:
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it does not receive the notebook's interrupts
            )
        assert self._guard.stdin is not None  # stdin is a pipe, see above
        self._guard.stdin.write(" ".join(map(str, sorted(pids))).encode() + b"\n")
        self._guard.stdin.flush()
