"""One thread per device, so that a call that hangs in the driver holds up that device alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 0.1
"""How long a tick waits for a device. One that is later is not waited for again until it answers."""
CLOSE_SECONDS: Final = 0.5


class Late(Exception):
    """The device has not answered yet."""


class DeviceThread:
    """Runs calls one after another; whoever asks waits for a while at most.

    Parameters
    ----------
    clock
        Gives seconds that never jump.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._work: Callable[[], Any] | None = None
        self._began: float | None = None
        self._answer: tuple[Any, BaseException | None] | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"gpuperf-{name}", daemon=True)
        self._thread.start()

    @property
    def busy_seconds(self) -> float:
        """For how long the call that runs now has run; 0 when none does."""
        began = self._began
        return 0.0 if began is None else self._clock() - began

    def begin(self, work: Callable[[], Any]) -> bool:
        """Start a call; ``False`` when the one before still runs."""
        with self._changed:
            if self._began is not None:
                return False
            self._work, self._answer, self._began = work, None, self._clock()
            self._changed.notify_all()
            return True

    def answer(self, timeout_seconds: float) -> Any:  # whatever the call returns
        """Return what the call that was begun last gave.

        Raises
        ------
        Late
            It has not ended in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._answer is not None, timeout_seconds):
                raise Late
            assert self._answer is not None
            value, error = self._answer
        if error is not None:
            raise error
        return value

    def close(self) -> bool:
        """End the thread, and tell whether it has ended: a call that hangs is left behind."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work is not None or self._closing)
                work, self._work = self._work, None
            if work is None:
                return
            try:
                answer: tuple[Any, BaseException | None] = (work(), None)
            except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
                answer = (None, error)
            with self._changed:
                self._answer, self._began = answer, None
                self._changed.notify_all()
