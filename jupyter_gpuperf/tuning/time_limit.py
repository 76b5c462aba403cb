"""Ends what does not end by itself: a data set that hangs must not hang the notebook.

A timer's signal interrupts Python, and waits inside the system, wherever the main thread is. In other threads, and
where there are no such signals, only what looks at the clock by itself ends in time. Standard library only.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Context

RING_SECONDS: Final = 0.25
SAY_SECONDS: Final = 0.2
AGAIN_SECONDS: Final = 1.0
"""Some code catches everything and goes on; then it is told again."""


class TimeIsUp(BaseException):
    """The limit has passed. Not an ``Exception``: data sets that catch those and try again are common."""


class Alarm:
    """Limits on time, one within the other; while it rings, something else can be looked at.

    Parameters
    ----------
    look
        Called a few times a second in the main thread, wherever that is; may raise to end what runs.
    """

    def __init__(self, look: Callable[[], object] = lambda: None) -> None:
        self._look = look
        self._ends: list[float] = []
        self._held = 0
        self._before: tuple[Any, tuple[float, float], float] | None = None

    def __enter__(self) -> Alarm:  # noqa: PYI034  (Self is newer than the oldest Python here)
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            handler = signal.signal(signal.SIGALRM, self._ring)
            timer = signal.setitimer(signal.ITIMER_REAL, RING_SECONDS, RING_SECONDS)
            self._before = (handler, timer, time.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            handler, (left, interval), began = self._before
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, handler)
            if left:  # the user's own timer ran on meanwhile; what is due by now is due at once
                left = max(left - (time.monotonic() - began), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Raise :class:`TimeIsUp` in what takes longer."""
        self._ends.append(time.monotonic() + seconds)
        try:
            yield
        finally:
            self._ends.pop()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Stay silent, for what must not be left half done."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def _ring(self, _signal: int, frame: FrameType | None) -> None:
        if self._held or _forks(frame):
            return
        now = time.monotonic()
        for place, end in enumerate(self._ends):
            if now >= end:
                self._ends[place] = now + AGAIN_SECONDS
                raise TimeIsUp
        with self.held():
            self._look()


def _forks(frame: FrameType | None) -> bool:
    """Tell whether a process is being started: what is raised there is lost, or leaves half a process."""
    while frame is not None:
        if frame.f_code.co_name == "_launch":
            return True
        frame = frame.f_back
    return False


class Countdown:
    """The time that is left, and saying so."""

    def __init__(self, budget_seconds: float, context: Context) -> None:
        self._budget, self._context = budget_seconds, context
        self._began, self._said = time.monotonic(), 0.0
        self._words = "Looking at items"
        self.alarm = Alarm(self.look)

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
