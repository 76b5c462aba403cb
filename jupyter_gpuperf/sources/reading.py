"""Reading metrics one by one, each at its own pace, so that one that fails or is dear leaves the others alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf.metrics import Calls, Metric
from jupyter_gpuperf.schemas import MissingReason, Reading, Readings
from jupyter_gpuperf.sources.rates import NotYet, Rates

SLOW_SECONDS: Final = 5.0
"""Time between two readings of a slow metric. On an H100 the slow ones take about 6 ms together
(energy alone 3 ms), the others 0.2 ms."""

LIMITS_SECONDS: Final = 30.0
"""Limits hardly change, and the highest clocks cost 1.4 ms each to ask for on an H100."""

PROBE_SECONDS: Final = 300.0
"""A metric that a device doesn't support, or doesn't allow, is asked for again after this long:
a driver may be configured anew, and asking at every tick costs as much as a reading."""

SETTLED: Final = ("not_supported", "no_permission")


class MetricReader:
    """Reads what is due of one device, or of the machine, and repeats what is not.

    Parameters
    ----------
    call
        What metrics may call; each distinct call is made once a tick.
    reason_of
        Translates what a call raised.
    clock
        Gives seconds that never jump.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        call: Calls,
        reason_of: Callable[[Exception], MissingReason],
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._call = call
        self._reason_of = reason_of
        self._clock = clock
        self._rates = Rates(clock)
        self._readings: Readings = {}
        self.reset()

    def reset(self) -> None:
        """Have everything read anew at the next tick."""
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
        except NotYet:
            return "not_yet"
        except Exception as error:  # noqa: BLE001  (translated by the source's own table)
            return self._reason_of(error)
        return "not_supported" if value is None else metric.checked(value)


def _once_per_tick(call: Calls) -> Calls:
    """Return calls that are made once each, and give their answer, or their error, to all who ask.

    Several metrics come out of one call of the driver (used and total memory). Make one of these per device
    and tick.
    """

    @functools.cache
    def made(function: str, *arguments: int) -> tuple[Any, Exception | None]:
        try:
            return call(function, *arguments), None
        except Exception as error:  # noqa: BLE001  (kept, and raised again for each who asks)
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
