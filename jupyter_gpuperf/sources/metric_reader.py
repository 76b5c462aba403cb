"""Read metrics one by one, each at its own interval: one that fails or is expensive does not affect the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf.metrics import Calls, Metric
from jupyter_gpuperf.schemas import MissingReason, Reading, Readings
from jupyter_gpuperf.sources.rates import NoSampleYet, Rates

SLOW_SECONDS: Final = 5.0
"""Time between two readings of a slow metric. On an H100, reading all slow metrics takes about 6 ms (energy alone
3 ms), and reading all others 0.2 ms."""

LIMITS_SECONDS: Final = 30.0
"""Time between two readings of a limit. Limits hardly change, and reading a maximum clock takes 1.4 ms on an H100."""

RETRY_SECONDS: Final = 300.0
"""Time after which a metric that the device doesn't support or allow is tried again: the driver may have been
reconfigured. Trying at every tick would take as long as reading it."""

LASTING_REASONS: Final = ("not_supported", "no_permission")


class MetricReader:
    """Reads the metrics that are due, of one device or of the host, and repeats the last readings of the others.

    Parameters
    ----------
    call
        Calls a function by name. Each distinct call is made once per tick.
    reason_of
        Takes the exception of a failed call, and returns the reason that replaces the reading.
    clock
        Monotonic clock, in seconds.
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
        """Make all metrics due at the next read."""
        self._due_seconds = dict.fromkeys((each.name for each in self._metrics), -math.inf)

    def read(self) -> Readings:
        """Return a reading of every metric."""
        now, calls = self._clock(), _once_per_tick(self._call)
        for metric in self._metrics:
            if now >= self._due_seconds[metric.name]:
                reading = self._reading(metric, calls)
                self._readings[metric.name] = reading
                self._due_seconds[metric.name] = now + _seconds_until_due(metric, reading)
        return dict(self._readings)

    def _reading(self, metric: Metric, calls: Calls) -> Reading:
        try:
            value = metric.read(calls)
            if value is not None and metric.per_second:
                value = self._rates.rate(metric.name, float(value))
            return "not_supported" if value is None else metric.to_reading(value)
        except NoSampleYet:
            return "not_yet"
        except Exception as error:  # noqa: BLE001  (the source translates its own errors)
            return self._reason_of(error)


def _once_per_tick(call: Calls) -> Calls:
    """Return a function that makes each distinct call once, and then repeats its result or its error.

    Several metrics, such as used and total memory, come from the same call to the driver. Use a new function for each
    device and tick.
    """

    @functools.cache
    def made(function: str, *arguments: int) -> tuple[Any, Exception | None]:
        try:
            return call(function, *arguments), None
        except Exception as error:  # noqa: BLE001  (raised again for each caller)
            return None, error

    def repeated(function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        answer, failure = made(function, *arguments)
        if failure is not None:
            raise failure
        return answer

    return repeated


def _seconds_until_due(metric: Metric, reading: float | str) -> float:
    if isinstance(reading, str):
        return RETRY_SECONDS if reading in LASTING_REASONS else 0.0
    if metric.kind == "limit":
        return LIMITS_SECONDS
    return SLOW_SECONDS if metric.cadence == "slow" else 0.0
