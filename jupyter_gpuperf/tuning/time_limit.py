"""End code that runs too long: a dataset that hangs must not hang the notebook.

A timer signal interrupts Python code and system calls of the main thread. In other threads, and on systems without
such signals, only code that checks the clock itself ends in time. Standard library only.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.messages import Message

RING_SECONDS: Final = 0.25
REPORT_SECONDS: Final = 0.2
AGAIN_SECONDS: Final = 1.0
"""If code catches the exception and continues, the alarm raises it again after this time."""


class TimeIsUp(BaseException):
    """The time limit was exceeded. Not an ``Exception``, because many datasets catch those and try again."""


class Alarm:
    """Enforces nested time limits, and regularly calls a function, from a timer signal.

    Parameters
    ----------
    look
        Called a few times per second in the main thread, whatever code runs there; may raise to end that code.
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
            if left:  # the user's own timer kept running; if it is overdue, it fires at once
                left = max(left - (time.monotonic() - began), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, interval)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Raise :class:`TimeIsUp` in the body when it takes longer than ``seconds``."""
        self._ends.append(time.monotonic() + seconds)
        try:
            yield
        finally:
            self._ends.pop()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Suppress the alarm in the body, which must not be interrupted halfway."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def _ring(self, _signal: int, frame: FrameType | None) -> None:
        if self._held or _forks(frame):
            return
        now = time.monotonic()
        for index, end in enumerate(self._ends):
            if now >= end:
                self._ends[index] = now + AGAIN_SECONDS
                raise TimeIsUp
        with self.suspended():
            self._look()


def _forks(frame: FrameType | None) -> bool:
    """Return whether a process is being started: an exception would be lost, or leave it half started."""
    return any(each.f_code.co_name == "_launch" for each, _ in traceback.walk_stack(frame))


class Countdown:
    """Counts down the time of a tuning, and reports its progress."""

    def __init__(self, budget_seconds: float, context: Context) -> None:
        self._budget, self._context = budget_seconds, context
        self.reserved_seconds = 0.0
        """Part of the time for what comes after the measurements."""
        self._began, self._reported = time.monotonic(), 0.0
        self._activity: str = Message("Examining items")
        self.alarm = Alarm(self.look)

    def left(self) -> float:
        """Return the seconds that are left for measurements."""
        return self._budget - self.passed() - self.reserved_seconds

    def passed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def report(self, activity: str) -> None:
        """Report the current activity, at most every 0.2 s."""
        self._activity = activity
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            with self.alarm.suspended():
                self.look()

    def look(self) -> None:
        """Report the progress. The report raises an exception if the job was cancelled."""
        self._reported = time.monotonic()
        seconds = max(0.0, self.left())
        message = Message(
            "{activity} · up to {seconds:.0f} s left", activity=self._activity, seconds=seconds
        )
        self._context.progress(min(1.0, self.passed() / self._budget), message)
