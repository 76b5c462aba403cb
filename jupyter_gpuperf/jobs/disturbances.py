"""Observe the machine during a benchmark: clocks, other processes, and what slowed it down.

Disturbances are reported with the result, never hidden: a figure measured beside another job or on a hot chip
is correct, but not what the machine achieves undisturbed.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final

import msgspec

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.sampling import Sampler, Subscribers
from jupyter_gpuperf.schemas import BenchmarkResult, Frame, ListedProcess, Reading

AddObservations = Callable[[BenchmarkResult], BenchmarkResult]

INTERVAL_MS: Final = 500
LISTING_SECONDS: Final = 2.0
BUSY_PERCENT: Final = 50.0
"""The figures leave out readings with a lower utilization: libraries are being loaded, or code is being compiled."""
OTHER_PROCESS_PERCENT: Final = 5.0
"""SM utilization from which on another process counts as a disturbance."""
THROTTLED_RATIO: Final = 0.02
"""Throttling is reported if it lasts for more than this share of the run."""
OTHER_WORK_PERCENT: Final = 50.0
"""If more of the CPU was in use before the run, other work counts as a disturbance."""

THROTTLING_MESSAGES: Final = {
    "clock_lost_thermal_software_ratio": "Throttled by heat for {percent:.0f} % of the time.",
    "clock_lost_thermal_hardware_ratio": "Throttled by heat (hardware slowdown) for {percent:.0f} % of the time.",
    "clock_lost_power_brake_ratio": "Throttled by the board's power brake for {percent:.0f} % of the time.",
    "host_cpu_throttled_ratio": "The container's CPU quota paused its processes for {percent:.0f} % of the time.",
}


class DisturbanceLog:
    """Collects readings of one device and the host during a run.

    Parameters
    ----------
    device
        UUID; ``None`` for a CPU benchmark.
    """

    def __init__(self, device: str | None) -> None:
        self._device = device
        self._device_readings: list[dict[str, Reading]] = []
        self._host_readings: list[dict[str, Reading]] = []
        self.other_processes: list[ListedProcess] = []
        self.cpu_before_percent: float | None = None

    def take(self, frame: Frame | None) -> None:
        """Keep the readings of the device and the host in a frame; do nothing without a frame."""
        if frame is not None:
            self._host_readings.append(frame.host)
            if self._device in frame.devices:
                self._device_readings.append(frame.devices[self._device])

    def finish(self, result: BenchmarkResult) -> BenchmarkResult:
        """Return the result with the observed figures and disturbances."""
        return msgspec.structs.replace(
            result,
            environment={**result.environment, **self._figures()},
            warnings=[*result.warnings, *self._disturbances()],
        )

    def _figures(self) -> dict[str, float]:
        busy = [
            each
            for each in self._device_readings
            if _number(each.get("utilization_percent")) >= BUSY_PERCENT
        ]
        figures = {
            "clock_sm_mean_mhz": _mean(busy, "clock_sm_mhz"),
            "power_mean_watts": _mean(busy, "power_watts"),
            "temperature_max_celsius": max(_values(busy, "temperature_celsius"), default=None),
            "clock_lost_power_cap_ratio": _mean(busy, "clock_lost_power_cap_ratio"),
        }
        return {name: round(value, 3) for name, value in figures.items() if value is not None}

    def _disturbances(self) -> Iterator[str]:
        for each in self.other_processes:
            message = "Process {pid} also used this GPU: SM utilization {percent:.0f} % at start."
            yield Message(message, pid=each.pid, percent=_number(each.sm_utilization_percent))
        for name in THROTTLING_MESSAGES:
            is_of_host = name.startswith("host_")
            ratio = _mean(self._host_readings if is_of_host else self._device_readings, name)
            if ratio is not None and ratio > THROTTLED_RATIO:
                yield Message(THROTTLING_MESSAGES[name], percent=100 * ratio)
        percent = self.cpu_before_percent
        if percent is not None and percent > OTHER_WORK_PERCENT:
            yield Message(
                "Other work used {percent:.0f} % of the CPU at the start.", percent=percent
            )


@dataclass(frozen=True)
class DisturbanceWatcher:
    """Observes runs through the sampler.

    Parameters
    ----------
    has_reading_before_run
        Whether the sampler's latest reading describes the time before the run. If the sampler has just started, that
        reading covers the start of this process instead.
    """

    sampler: Sampler
    subscribers: Subscribers
    has_reading_before_run: bool = True

    @contextlib.contextmanager
    def watch(self, device: str | None) -> Iterator[AddObservations]:
        """Observe the machine while the block runs; the yielded function adds the observations to the result."""
        if self.sampler.played_seconds:  # the readings are those of a recording, not of this run
            yield lambda result: result
            return
        watch = DisturbanceLog(device)
        if self.has_reading_before_run and self.sampler.latest is not None:
            watch.cpu_before_percent = _known(self.sampler.latest.host.get("host_cpu_percent"))
        watch.other_processes = self._others(device)
        listener = self.subscribers.add(
            lambda _message, topic: watch.take(self.sampler.latest) if topic == "frames" else None,
            INTERVAL_MS,
        )
        try:
            yield watch.finish
        finally:
            self.subscribers.remove(listener)

    def _others(self, device: str | None) -> list[ListedProcess]:
        if device is None:
            return []
        listed: Sequence[ListedProcess] | str = []
        with contextlib.suppress(FutureTimeoutError, RuntimeError, OSError):
            listed = self.sampler.request_processes().result(LISTING_SECONDS).get(device, [])
        processes = () if isinstance(listed, str) else listed
        return [
            each
            for each in processes
            if _number(each.sm_utilization_percent) >= OTHER_PROCESS_PERCENT
        ]


def _known(reading: Reading | None) -> float | None:
    return float(reading) if isinstance(reading, int | float) else None


def _number(reading: Reading | None) -> float:
    return _known(reading) or 0.0


def _values(readings: Sequence[dict[str, Reading]], name: str) -> list[float]:
    return [known for each in readings if (known := _known(each.get(name))) is not None]


def _mean(readings: Sequence[dict[str, Reading]], name: str) -> float | None:
    values = _values(readings, name)
    return statistics.fmean(values) if values else None
