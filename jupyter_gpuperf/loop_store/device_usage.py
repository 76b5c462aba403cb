"""Read the busy share and the energy of devices over a past time span from the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.slow_readings import mean_within
from jupyter_gpuperf.schemas import Columns
from jupyter_gpuperf.schemas.training import BusyMetric

BUSY_METRICS: Final[tuple[BusyMetric, ...]] = ("graphics_active_percent", "utilization_percent")
"""Metrics of the busy share; the first one with readings is used. GPM's metric covers all the time. The driver's
utilization is the share of its sample periods in which some kernel ran."""

LONG_SECONDS: Final = 60.0
"""In spans of at least this length, the exact seconds that a slow reading covers make no difference."""

POWER: Final = "power_watts"
CLOCK: Final = "clock_sm_mhz"
FINEST_SECONDS: Final = 0.1
MOST_STEPS: Final = 2000
"""Maximum number of steps per query: a span of hours is read in coarser steps."""


class BusyShare(NamedTuple):
    """A busy share in percent, and the metric from which it was computed."""

    percent: float
    metric: BusyMetric


class DeviceUsage:
    """Queries the history for the usage of devices over time spans.

    Parameters
    ----------
    now
        Returns the current Unix time.
    """

    def __init__(self, history: HistoryStore, now: Callable[[], float]) -> None:
        self._history, self._now = history, now

    def busy(self, uuid: str, began_seconds: float, ended_seconds: float) -> BusyShare | None:
        """Return the mean busy share of a device between two Unix times, or ``None`` without readings.

        A reading of GPM's metric covers seconds. If no such reading lies entirely within the span, the driver's
        utilization is returned.
        """
        columns = self._columns(uuid, began_seconds, ended_seconds, BUSY_METRICS)
        slow, quick = (
            _between(columns, metric, began_seconds, ended_seconds) for metric in BUSY_METRICS
        )
        if ended_seconds - began_seconds < LONG_SECONDS and quick:
            percent = mean_within(slow, began_seconds, ended_seconds)
        else:
            percent = _mean(slow)
        if percent is not None:
            return BusyShare(percent, BUSY_METRICS[0])
        percent = _mean(quick)
        return None if percent is None else BusyShare(percent, BUSY_METRICS[1])

    def clock_mhz(self, uuid: str, began_seconds: float, ended_seconds: float) -> float | None:
        """Return the mean SM clock of a device between two Unix times, or ``None`` without readings."""
        columns = self._columns(uuid, began_seconds, ended_seconds, (CLOCK,))
        return _mean(_between(columns, CLOCK, began_seconds, ended_seconds))

    def energy_joules(self, uuid: str, began_seconds: float, ended_seconds: float) -> float | None:
        """Return the energy that a device used between two Unix times, or ``None`` without a power reading.

        This is mean power × time. The driver's energy counter is expensive to read, so it is read too rarely to
        measure a single cell.
        """
        columns = self._columns(uuid, began_seconds, ended_seconds, (POWER,))
        watts = _mean(_between(columns, POWER, began_seconds, ended_seconds))
        return None if watts is None else watts * (ended_seconds - began_seconds)

    def _columns(
        self, uuid: str, began_seconds: float, ended_seconds: float, metrics: Sequence[str]
    ) -> Columns | None:
        if not self._history.has_device(uuid):
            return None
        reach_seconds = max(1.0, self._now() - began_seconds + 1.0)
        fewest_seconds = (ended_seconds - began_seconds) / MOST_STEPS
        step_seconds = max(FINEST_SECONDS, fewest_seconds, reach_seconds / 9000)
        try:
            history = self._history.query(
                seconds=reach_seconds, step_seconds=step_seconds, metrics=metrics, uuids={uuid}
            )
        except BadRequest:  # the history does not contain these metrics
            return None
        return history.devices.get(uuid)


def _between(
    columns: Columns | None, metric: str, began_seconds: float, ended_seconds: float
) -> list[tuple[float, float]]:
    if columns is None:
        return []
    means = zip(columns.times_seconds, columns.metrics[metric].mean, strict=True)
    inside = (each for each in means if began_seconds <= each[0] <= ended_seconds)
    return [(time, value) for time, value in inside if value is not None]


def _mean(points: Sequence[tuple[float, float]]) -> float | None:
    return fmean(value for _, value in points) if points else None
