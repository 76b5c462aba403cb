"""Time a part of a long cell: from the end of one optimizer step to the end of a later one.

The run then ends at the next backward pass, and not in the step itself: a gradient scaler could not go on after that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


class EnoughSteps(BaseException):
    """Ends a run before a backward pass. Not an ``Exception``, because training loops catch these."""


class StepWindow:
    """The steps of a run that are timed.

    Parameters
    ----------
    first, last
        Timing begins at the end of step ``first``, counted from 1, and ends with step ``last``.
    synchronize
        Waits for the device.
    """

    def __init__(self, first: int, last: int, synchronize: Callable[[], None]) -> None:
        self.first, self.last = first, last
        self._synchronize = synchronize
        self._counts: dict[int, int] = {}
        self._began = 0.0
        self._ended: float | None = None

    @property
    def step_seconds(self) -> float:
        """Seconds per step of the latest run.

        Raises
        ------
        RuntimeError
            The run had too few steps.
        """
        steps = min(self.last, max(self._counts.values(), default=0)) - self.first
        if steps < 1 or self._ended is None:
            raise RuntimeError("A run had fewer optimizer steps than the first one.")
        return (self._ended - self._began) / steps

    @contextlib.contextmanager
    def cutting(self) -> Iterator[None]:
        """End the run in the body after the last step."""
        self._counts, self._ended = {}, None
        with contextlib.suppress(EnoughSteps):
            yield
        if self._ended is None:  # it had fewer steps
            self._end()

    def stepped(self, optimizer: object) -> None:
        """Count a step of an optimizer; the one that steps most often sets the pace."""
        count = self._counts[id(optimizer)] = self._counts.get(id(optimizer), 0) + 1
        if count < max(self._counts.values()):
            return
        if count == self.first:
            self._synchronize()
            self._began = time.perf_counter()
        elif count == self.last:
            self._end()

    def before_backward(self) -> None:
        """End the run if its last step is done."""
        if self._ended is not None:
            raise EnoughSteps

    def _end(self) -> None:
        self._synchronize()
        self._ended = time.perf_counter()
