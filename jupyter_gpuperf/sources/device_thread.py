"""A thread for the calls to one device: if one hangs in the driver, only that device is blocked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, Final

PATIENCE_SECONDS: Final = 0.1
"""How long a tick waits for a device. Later ticks don't wait for that device until it has answered."""
CLOSE_SECONDS: Final = 0.5
"""How long to wait for the thread to end. A thread that hangs in the driver is abandoned."""


class DeviceNotAnswering(Exception):
    """A call to the device has not returned yet."""


class DeviceThread:
    """Runs calls one after another in its own thread; callers wait for a limited time.

    Parameters
    ----------
    clock
        Monotonic clock, in seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._began: float | None = None
        self._answer: Future[Any] = Future()
        self._thread = threading.Thread(target=self._run, name=f"gpuperf-{name}", daemon=True)
        self._thread.start()

    @property
    def busy_seconds(self) -> float:
        """How long the current call has been running; 0 if none is."""
        began = self._began
        return 0.0 if began is None else self._clock() - began

    def begin(self, work: Callable[[], Any]) -> bool:
        """Start a call. Returns ``False``, and starts nothing, if the previous call is still running."""
        if self._began is not None:
            return False
        self._answer, self._began = Future(), self._clock()
        self._calls.put((work, self._answer))
        return True

    def answer(self, timeout_seconds: float) -> Any:  # returns what the call returned
        """Return the result of the latest call, or raise its error.

        Raises
        ------
        DeviceNotAnswering
            The call has not returned within ``timeout_seconds``.
        """
        if not wait([self._answer], timeout_seconds).done:
            raise DeviceNotAnswering
        return self._answer.result()

    def close(self) -> bool:
        """End the thread, and return whether it ended. It does not end while a call hangs."""
        self._calls.put(None)
        self._thread.join(CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while call := self._calls.get():
            work, answer = call
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001  (raised again by answer())
                self._began = None
                answer.set_exception(error)
            else:
                self._began = None  # before the result is set: its receiver may start the next call
                answer.set_result(value)
