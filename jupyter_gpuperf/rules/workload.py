"""Describe a workload from readings: how busy the device is, how much of it is used, the pattern of its idle times, and
what the host does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Final

from jupyter_gpuperf.rules.busy_spans import (
    LEAST_PERCENT,
    SM,
    UTILIZATION,
    activity_metric,
    is_sampled,
)
from jupyter_gpuperf.rules.phases import Phase, phases_of
from jupyter_gpuperf.rules.rule_input import ReadingSeries

POWER: Final = "power_watts"
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
    busy_error_ratio
        How far the busy ratio may be off because the readings leave out time: two standard errors; else 0.
    fill_ratio
        Share of the multiprocessors that were active while a kernel ran (GPM).
    traffic_ratio
        Share of the busy time in which device memory was accessed: near 0 for tiny kernels. It replaces the fill
        ratio where there is no GPM.
    idle_readings_ratio
        Share of readings in which the device was idle.
    phases
        The idle gaps and the busy runs between them, in order.
    is_sampled
        Whether the readings leave out parts of the time between them. Then several gaps and runs can look like one.
    is_power_averaged
        Whether the readings of the power leave out nothing: on this chip, each is an average over a second.
    run_busy_ratio
        Mean activity of the device in its busy runs, from 0 to 1.
    bursts_per_second
        Number of busy runs that began, per second.
    host_cores
        Mean number of CPU cores that programs used.
    """

    interval_seconds: float
    busy_ratio: float
    busy_error_ratio: float
    fill_ratio: float | None
    traffic_ratio: float | None
    idle_readings_ratio: float
    phases: tuple[Phase, ...]
    is_sampled: bool
    is_power_averaged: bool
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

    @property
    def busy_runs_seconds(self) -> list[float]:
        """The length of each busy run."""
        return [each.seconds for each in self.phases if not each.is_idle]


def workload_of(series: ReadingSeries, host: ReadingSeries, *, is_power_averaged: bool) -> Workload:
    """Return the figures of one device's steady state and of the host in the same time."""
    metric = activity_metric(series)
    points = series.points(metric) if metric else []
    sampled = is_sampled(series, metric)
    at_rest = _at_rest([value for _, value in points], metric, sampled=sampled)
    power = dict(series.points(POWER)) if sampled else {}
    phases = phases_of([time for time, _ in points], at_rest, power)
    worked = [value for (_, value), rest in zip(points, at_rest, strict=True) if not rest]
    begun = sum(not each.is_idle for each in phases[1:])
    utilization = series.mean(UTILIZATION)
    busy = math.nan if utilization is None else max(0.0, utilization / 100)
    return Workload(
        interval_seconds=series.interval_seconds,
        busy_ratio=busy,
        busy_error_ratio=_error_of(series.values(UTILIZATION)) if sampled else 0.0,
        fill_ratio=_while_busy(series, SM, busy),
        traffic_ratio=_while_busy(series, "memory_controller_percent", busy),
        idle_readings_ratio=sum(at_rest) / len(at_rest) if at_rest else 0.0,
        phases=phases,
        is_sampled=sampled,
        is_power_averaged=is_power_averaged and bool(power),
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


def is_power_averaged(compute_capability: str | None) -> bool:
    """Return whether a chip's driver averages the power over a second; ``False`` if the chip is unknown.

    According to NVML's manual, it does from Ampere on, but not on an A100 (8.0), where the reading is a moment's.
    """
    major, _, minor = (compute_capability or "").partition(".")
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) > (8, 0)


def _error_of(percents: Sequence[float]) -> float:
    return 2 * stdev(percents) / 100 / math.sqrt(len(percents)) if len(percents) > 1 else 0.0


def _while_busy(series: ReadingSeries, metric: str, busy: float) -> float | None:
    mean = series.mean(metric)
    return min(1.0, max(0.0, mean / 100) / busy) if mean is not None and busy else None


def _at_rest(values: Sequence[float], metric: str | None, *, sampled: bool) -> list[bool]:
    if metric is None or not values:
        return []
    # Of a few samples, the busiest may be the only one at full speed.
    quantile = 1.0 if sampled else BUSY_QUANTILE
    high = sorted(values)[int(quantile * (len(values) - 1))]
    limit = max(LEAST_PERCENT[metric], IDLE_SHARE[metric] * high)
    return [value < limit for value in values]


def _cores(host: ReadingSeries) -> float | None:
    used = host.mean("host_cpu_used_cores")
    if used is not None:
        return used
    percent, limit = host.mean("host_cpu_percent"), host.last_known("host_cpu_limit_cores")
    return None if percent is None or limit is None else percent / 100 * limit
