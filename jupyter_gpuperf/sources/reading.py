"""Reading metrics one by one, so that one that fails leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jupyter_gpuperf.metrics import Calls, Metric
from jupyter_gpuperf.schemas import MissingReason, Readings
from jupyter_gpuperf.sources.rates import NotYet, Rates


class OncePerTick:
    """Makes each distinct call once, and gives its answer, or its error, to all who ask.

    Several metrics come out of one call of the driver (used and total memory). Create one of these
    per device and tick.
    """

    def __init__(self, call: Calls) -> None:
        self._call = call
        self._answers: dict[tuple[str, tuple[int, ...]], tuple[Any, Exception | None]] = {}

    def __call__(self, function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        """Call, or repeat what the first such call gave."""
        key = (function, arguments)
        if key not in self._answers:
            try:
                self._answers[key] = (self._call(function, *arguments), None)
            except Exception as error:  # noqa: BLE001  (kept, and raised again for each who asks)
                self._answers[key] = (None, error)
        answer, failure = self._answers[key]
        if failure is not None:
            raise failure
        return answer


def read_metrics(
    metrics: Iterable[Metric],
    read: Callable[[Metric], float | None],
    reason_of: Callable[[Exception], MissingReason],
    rates: Rates,
) -> Readings:
    """Return each metric's value, or the reason why it has none.

    Parameters
    ----------
    read
        Gives a metric's value; ``None`` means that the driver gave none.
    reason_of
        Translates what ``read`` raised.
    rates
        Turns the totals of ``per_second`` metrics into rates.
    """
    readings: Readings = {}
    for metric in metrics:
        try:
            value = read(metric)
            if value is not None and metric.per_second:
                value = rates.rate(metric.name, float(value))
        except NotYet:
            readings[metric.name] = "not_yet"
        except Exception as error:  # noqa: BLE001  (translated by the source's own table)
            readings[metric.name] = reason_of(error)
        else:
            readings[metric.name] = "not_supported" if value is None else metric.checked(value)
    return readings
