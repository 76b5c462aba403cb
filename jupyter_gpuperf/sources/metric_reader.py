"""Read metrics one by one, each at its own pace, so that a failing or expensive one does not affect the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf.metrics import Calls, Metric
from jupyter_gpuperf.schemas import MissingReason, Reading, Readings
from jupyter_gpuperf.sources.rates import NoSampleYet, Rates

SLOW_SECONDS: Final = 5.0
"""Time between two readings of a slow metric. On an H100 the slow ones take about 6 ms together
(energy alone 3 ms), the others 0.2 ms."""

LIMITS_SECONDS: Final = 30.0
"""Limits hardly change, and reading each of the highest clocks takes 1.4 ms on an H100."""

PROBE_SECONDS: Final = 300.0
"""A metric that a device doesn't support or allow is tried again after this long: the driver may have been
reconfigured, and asking at every tick costs as much as a reading."""

SETTLED: Final = ("not_supported", "no_permission")


class MetricReader:
    """Reads the due metrics of one device, or of the machine, and repeats the others.

    Parameters
    ----------
    call
        Makes the calls of metrics; each distinct call is made once per tick.
    reason_of
        Translates an exception of a call.
    clock
        Returns seconds that never jump.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        call: Calls,
        reason_of: Callable[[Exception], MissingReason],
        clock: Callable[[], float],
    ) -> None:
        self._metrics, self._call = metrics, call
        self._reason_of, self._clock = reason_of, clock
        self._rates = Rates(clock)
        self._readings: Readings = {}
        self.reset()

    def reset(self) -> None:
        """Make all metrics due at the next tick."""
        self._due_seconds = dict.fromkeys((each.name for each in self._metrics), -math.inf)

    def read(self) -> Readings:
        """Return a reading of every metric."""
        now, calls = self._clock(), _once_per_tick(self._call)
        for metric in self._metrics:
            if now >= self._due_seconds[metric.name]:
                reading = self._reading(metric, calls)
                self._readings[metric.name] = reading
                self._due_seconds[metric.name] = now + _pause_seconds(metric, reading)
        return dict(self._readings)

    def _reading(self, metric: Metric, calls: Calls) -> Reading:
        try:
            value = metric.read(calls)
            if value is not None and metric.per_second:
                value = self._rates.rate(metric.name, float(value))
        except NoSampleYet:
            return "not_yet"
        except Exception as error:  # noqa: BLE001  (translated by the source's own table)
            return self._reason_of(error)
        return "not_supported" if value is None else metric.to_reading(value)


def _once_per_tick(call: Calls) -> Calls:
    """Return a function that makes each distinct call once, and repeats its answer or its error.

    Several metrics come from one call of the driver (used and total memory). Create one of these per device and tick.
    """

    @functools.cache
    def made(function: str, *arguments: int) -> tuple[Any, Exception | None]:
        try:
            return call(function, *arguments), None
        except Exception as error:  # noqa: BLE001  (kept, and raised again for each caller)
            return None, error

    def repeated(function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        answer, failure = made(function, *arguments)
        if failure is not None:
            raise failure
        return answer

    return repeated


def _pause_seconds(metric: Metric, reading: float | str) -> float:
    if isinstance(reading, str):
        return PROBE_SECONDS if reading in SETTLED else 0.0
    if metric.kind == "limit":
        return LIMITS_SECONDS
    return SLOW_SECONDS if metric.cadence == "slow" else 0.0
