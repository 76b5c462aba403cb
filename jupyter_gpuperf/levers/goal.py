"""What a search is for: speed, or the least memory at no loss of speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.levers.outcome import Speedup
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message

LEAST_GAIN: Final = 1.005
"""A lever that gains less is not worth its line."""
LEAST_SAVING: Final = 0.01
FASTER: Final = Message("It is faster.")
FASTER_ON_READY: Final = Message("It is faster on batches that are ready.")
SLOWER: Final = Message("It is slower.")

PeakBytes = Callable[[], int | None]


class SpeedGoal:
    """Takes what makes the cell measurably faster."""

    taken_because = FASTER

    def objection(self, speedup: Interval, peak_bytes: PeakBytes) -> Message | None:
        """Return why a lever is left; ``None`` if it is worth taking."""
        del peak_bytes
        if speedup["high"] < 1.0:
            return SLOWER
        if speedup["low"] <= 1.0:
            return Message("No gain can be told: the interval contains 1.")
        return Message("It gains too little.") if speedup["value"] < LEAST_GAIN else None

    def is_missed(self, answer: Speedup) -> bool:
        """Return whether the final code gains nothing over the cell as it was."""
        return answer.speedup["low"] <= 1.0


class MemoryGoal:
    """Takes what needs less memory than the best version so far, and is not slower.

    Parameters
    ----------
    peak_bytes
        Of the cell as it was.
    """

    taken_because = Message("It needs less memory.")

    def __init__(self, peak_bytes: int) -> None:
        self._least_bytes = peak_bytes

    def objection(self, speedup: Interval, peak_bytes: PeakBytes) -> Message | None:
        """Return why a lever is left; ``None`` if it is worth taking."""
        if speedup["high"] < 1.0:
            return SLOWER
        found = peak_bytes()
        if found is None:
            return Message("Its memory could not be measured.")
        if found > (1 - LEAST_SAVING) * self._least_bytes:
            return Message("It needs no less memory.")
        self._least_bytes = found
        return None

    def is_missed(self, answer: Speedup) -> bool:
        """Return whether the final code is slower, or needs no less memory."""
        before, after = (answer.memory.get(name) for name in ("before_bytes", "after_bytes"))
        saves = before is not None and after is not None and after < before
        return answer.speedup["high"] < 1.0 or not saves


Goal = SpeedGoal | MemoryGoal


def goal_of(is_memory: bool, peak_bytes: PeakBytes) -> Goal:
    """Return what a search is for; ``peak_bytes`` measures the cell as it was.

    Raises
    ------
    BadRequest
        ``no_gpu_memory``: memory is the goal, and can't be measured.
    """
    if not is_memory:
        return SpeedGoal()
    peak = peak_bytes()
    if peak is None:
        message = "The memory of this cell can't be measured: it does not run on a GPU."
        raise BadRequest("no_gpu_memory", message, "Leave out --memory.")
    return MemoryGoal(peak)
