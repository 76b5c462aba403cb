"""Holds a loader's workers still while another one is measured: they would fill their queue, and use the processors.

A process that is held can't notice that its notebook has died. So a guard, a process of its own, lets all go when the
notebook is gone, however it ended; then they see it themselves, and end. Where a system has no such signals, none is held.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
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
for each in held:
    try:
        os.kill(int(each), signal.SIGCONT)
    except OSError:
        pass
"""
"""Looks for its parent itself: the notebook's other children hold the pipe's end, too, so that it may never close."""


class Stillness:
    """The processes that are held now."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._guard: subprocess.Popen[bytes] | None = None

    def hold(self, pids: Iterable[int]) -> None:
        """Hold processes; those that have ended are none."""
        wanted = set(pids) - self._held
        if not AVAILABLE or not wanted:
            return
        self._tell_guard(self._held | wanted)  # first: from now on they may be held
        for pid in wanted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._held.add(pid)

    def let_go(self, pids: Iterable[int]) -> None:
        """Let processes go on."""
        for pid in self._held.intersection(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            self._held.discard(pid)

    def close(self) -> None:
        """Let all go on, and do without the guard."""
        self.let_go(set(self._held))
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            assert self._guard.stdin is not None  # it is a pipe
            self._guard.stdin.close()
            self._guard = None

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
