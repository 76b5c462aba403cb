"""Describe a workload from readings: how busy the device is, how much of it is used, the pattern of its idle times, and
what the host does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from jupyter_gpuperf.rules.busy_spans import LEAST_PERCENT, SM, UTILIZATION, activity_metric
from jupyter_gpuperf.rules.rule_input import ReadingSeries

BUSY_QUANTILE: Final = 0.9
"""Quantile of the readings that counts as the level of a busy device."""
IDLE_SHARE: Final = {SM: 0.05, UTILIZATION: 0.1}
"""A reading below this share of the level at ``BUSY_QUANTILE`` counts as idle. The driver's utilization needs a second
to fall, hence its higher share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Figures of the steady state; ``None`` for figures without readings.

    Parameters
    ----------
    busy_ratio
        Share of time in which some kernel ran; NaN without the driver's utilization, which some rules don't need.
    fill_ratio
        Share of the multiprocessors that were active while a kernel ran (GPM).
    traffic_ratio
        Share of the busy time in which device memory was accessed: near 0 for tiny kernels. It replaces the fill
        ratio where there is no GPM.
    idle_readings_ratio
        Share of readings in which the device was idle.
    idle_gaps_seconds, busy_runs_seconds
        The length of each idle gap and of each busy run between two gaps. The first and the last are cut off by the
        ends of the readings.
    run_busy_ratio
        Mean activity of the device in its busy runs, from 0 to 1.
    bursts_per_second
        Number of busy runs that began, per second.
    host_cores
        Mean number of CPU cores that programs used.
    """

    interval_seconds: float
    busy_ratio: float
    fill_ratio: float | None
    traffic_ratio: float | None
    idle_readings_ratio: float
    idle_gaps_seconds: tuple[float, ...]
    busy_runs_seconds: tuple[float, ...]
    run_busy_ratio: float
    bursts_per_second: float
    receive_bytes_per_second: float | None
    transmit_bytes_per_second: float | None
    host_cores: float | None
    host_cores_limit: float | None
    disk_read_bytes_per_second: float | None
    disk_write_bytes_per_second: float | None
    network_bytes_per_second: float | None

    @property
    def idle_ratio(self) -> float:
        """Share of time in which no kernel ran; 0 if it is unknown."""
        return max(0.0, 1.0 - self.busy_ratio)


def workload_of(series: ReadingSeries, host: ReadingSeries) -> Workload:
    """Return the figures of one device's steady state and of the host in the same time."""
    metric = activity_metric(series)
    points = series.points(metric) if metric else []
    at_rest = _at_rest([value for _, value in points], metric)
    rests, runs = _lengths([time for time, _ in points], at_rest)
    worked = [value for (_, value), rest in zip(points, at_rest, strict=True) if not rest]
    begun = sum(before and not after for before, after in pairwise(at_rest))
    utilization = series.mean(UTILIZATION)
    busy = math.nan if utilization is None else max(0.0, utilization / 100)
    return Workload(
        interval_seconds=series.interval_seconds,
        busy_ratio=busy,
        fill_ratio=_while_busy(series, SM, busy),
        traffic_ratio=_while_busy(series, "memory_controller_percent", busy),
        idle_readings_ratio=sum(at_rest) / len(at_rest) if at_rest else 0.0,
        idle_gaps_seconds=tuple(rests),
        busy_runs_seconds=tuple(runs),
        run_busy_ratio=sum(worked) / len(worked) / 100 if worked else 0.0,
        bursts_per_second=begun / series.seconds if series.seconds else 0.0,
        receive_bytes_per_second=series.mean("pcie_receive_bytes_per_second"),
        transmit_bytes_per_second=series.mean("pcie_transmit_bytes_per_second"),
        host_cores=_cores(host),
        host_cores_limit=host.last_known("host_cpu_limit_cores"),
        disk_read_bytes_per_second=host.mean("host_disk_read_bytes_per_second"),
        disk_write_bytes_per_second=host.mean("host_disk_write_bytes_per_second"),
        network_bytes_per_second=host.mean("host_network_receive_bytes_per_second"),
    )


def _while_busy(series: ReadingSeries, metric: str, busy: float) -> float | None:
    mean = series.mean(metric)
    return min(1.0, max(0.0, mean / 100) / busy) if mean is not None and busy else None


def _at_rest(values: Sequence[float], metric: str | None) -> list[bool]:
    if metric is None or not values:
        return []
    high = sorted(values)[int(BUSY_QUANTILE * (len(values) - 1))]
    limit = max(LEAST_PERCENT[metric], IDLE_SHARE[metric] * high)
    return [value < limit for value in values]


def _lengths(times: Sequence[float], at_rest: Sequence[bool]) -> tuple[list[float], list[float]]:
    rests: list[float] = []
    runs: list[float] = []
    changes = [i for i in range(1, len(at_rest)) if at_rest[i] != at_rest[i - 1]]
    bounds = [0, *changes, len(at_rest) - 1] if changes else []
    for start, end in pairwise(bounds):
        (rests if at_rest[start] else runs).append(times[end] - times[start])
    return rests, runs


def _cores(host: ReadingSeries) -> float | None:
    used = host.mean("host_cpu_used_cores")
    if used is not None:
        return used
    percent, limit = host.mean("host_cpu_percent"), host.last_known("host_cpu_limit_cores")
    return None if percent is None or limit is None else percent / 100 * limit
