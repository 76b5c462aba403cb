"""Which metrics are due at a tick: all of them, or all but the dear ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Readings

SLOW_SECONDS: Final = 5.0
"""Time between two readings of a slow metric. On an H100 the slow ones take about 6 ms together
(energy alone 3 ms), the others 0.2 ms."""

LIMITS_SECONDS: Final = 30.0
"""Limits hardly change, and the highest clocks cost 1.4 ms each to ask for on an H100."""

PROBE_SECONDS: Final = 300.0
"""A metric that a device doesn't support, or doesn't allow, is asked for again after this long:
a driver may be configured anew, and asking at every tick costs as much as a reading."""

SETTLED: Final = ("not_supported", "no_permission")


class Cadence:
    """Reads what is due, and repeats what is not.

    Parameters
    ----------
    metrics
        All metrics of one device, or of the host.
    clock
        Gives seconds that never jump.
    """

    def __init__(self, metrics: Sequence[Metric], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._metrics = metrics
        self._readings: Readings = {}
        self.reset()

    def reset(self) -> None:
        """Have everything read anew at the next tick."""
        self._due_seconds = dict.fromkeys((each.name for each in self._metrics), -math.inf)

    def read(self, read: Callable[[Sequence[Metric]], Readings]) -> Readings:
        """Return a reading of every metric, taken with ``read`` where it is due."""
        now = self._clock()
        due = [metric for metric in self._metrics if now >= self._due_seconds[metric.name]]
        fresh = read(due)
        for metric in due:
            pause_seconds = _pause_seconds(metric, fresh[metric.name])
            if pause_seconds:
                self._due_seconds[metric.name] = now + pause_seconds
        self._readings.update(fresh)
        return dict(self._readings)


def _pause_seconds(metric: Metric, reading: float | str) -> float:
    if isinstance(reading, str):
        return PROBE_SECONDS if reading in SETTLED else 0.0
    if metric.kind == "limit":
        return LIMITS_SECONDS
    return SLOW_SECONDS if metric.cadence == "slow" else 0.0
