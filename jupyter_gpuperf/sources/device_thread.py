"""One thread per device, so that a call that hangs in the driver blocks only that device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, Final

PATIENCE_SECONDS: Final = 0.1
"""How long a tick waits for a device. After that, ticks don't wait for it until it answers."""
CLOSE_SECONDS: Final = 0.5


class DeviceNotAnswering(Exception):
    """The device has not answered yet."""


class DeviceThread:
    """Runs calls one after another; a caller waits only for a limited time.

    Parameters
    ----------
    clock
        Returns seconds that never jump.
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
        """How long the current call has been running; 0 when none runs."""
        began = self._began
        return 0.0 if began is None else self._clock() - began

    def begin(self, work: Callable[[], Any]) -> bool:
        """Start a call; return ``False`` if the last one still runs."""
        if self._began is not None:
            return False
        self._answer, self._began = Future(), self._clock()
        self._calls.put((work, self._answer))
        return True

    def answer(self, timeout_seconds: float) -> Any:  # whatever the call returns
        """Return the result of the call that was started last.

        Raises
        ------
        Late
            The call has not ended in time.
        """
        if not wait([self._answer], timeout_seconds).done:
            raise DeviceNotAnswering
        return self._answer.result()

    def close(self) -> bool:
        """End the thread, and return whether it has ended; a call that hangs is abandoned."""
        self._calls.put(None)
        self._thread.join(CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while call := self._calls.get():
            work, answer = call
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001  (raised again where the answer is taken)
                self._began = None
                answer.set_exception(error)
            else:
                self._began = None  # before the answer, or its receiver can't begin the next call
                answer.set_result(value)
