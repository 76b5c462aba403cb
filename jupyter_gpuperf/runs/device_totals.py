"""What a run took of each device: means, peaks and energy over the frames of the sampler."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from jupyter_gpuperf.loop_store.device_usage import BUSY_METRICS
from jupyter_gpuperf.schemas import DeviceInfo, Frame, Reading
from jupyter_gpuperf.schemas.runs import RunDevice

POWER: Final = "power_watts"
CLOCK: Final = "clock_sm_mhz"
MEMORY: Final = "memory_used_bytes"
TEMPERATURE: Final = "temperature_celsius"
LONGEST_GAP_SECONDS: Final = 10.0
"""A reading counts for the time since the last one, but not for longer than this."""


class _Mean:
    """A mean over time."""

    def __init__(self) -> None:
        self.seconds = self._sum = 0.0

    def add(self, reading: Reading | None, seconds: float) -> None:
        if isinstance(reading, float):
            self.seconds += seconds
            self._sum += reading * seconds

    @property
    def value(self) -> float | None:
        return self._sum / self.seconds if self.seconds else None

    @property
    def integral(self) -> float | None:
        return self._sum if self.seconds else None


class _Peak:
    """The largest reading."""

    def __init__(self) -> None:
        self._value = -math.inf

    def add(self, reading: Reading | None) -> None:
        if isinstance(reading, float):
            self._value = max(self._value, reading)

    @property
    def value(self) -> float | None:
        return self._value if math.isfinite(self._value) else None


class _Device:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.means = {name: _Mean() for name in (*BUSY_METRICS, POWER, CLOCK)}
        self.peaks = {name: _Peak() for name in (MEMORY, TEMPERATURE)}


class DeviceTotals:
    """The devices of a run; a device counts from the time at which the run is first seen on it."""

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        self._last_seconds: float | None = None

    def add(self, frame: Frame, used: Collection[str]) -> None:
        """Add a frame; ``used`` are the UUIDs of the devices that the run uses."""
        last, self._last_seconds = self._last_seconds, frame.time_seconds
        seconds = 0.0 if last is None else frame.time_seconds - last
        if not 0 < seconds < LONGEST_GAP_SECONDS:  # the first frame, or the clock was set
            seconds = 0.0
        for uuid, readings in frame.devices.items():
            if uuid in self._devices or uuid in used:
                device = self._devices.setdefault(uuid, _Device())
                device.seconds += seconds
                for name, mean in device.means.items():
                    mean.add(readings.get(name), seconds)
                for name, peak in device.peaks.items():
                    peak.add(readings.get(name))

    @property
    def uuids(self) -> Collection[str]:
        """The devices so far."""
        return self._devices.keys()

    def results(self, infos: Sequence[DeviceInfo]) -> list[RunDevice]:
        """Return the devices, in the driver's order."""
        return [
            _result(info, self._devices[info.uuid]) for info in infos if info.uuid in self._devices
        ]


def _result(info: DeviceInfo, device: _Device) -> RunDevice:
    means, peaks = device.means, device.peaks
    busy = next((name for name in BUSY_METRICS if means[name].seconds), None)
    return RunDevice(
        uuid=info.uuid,
        index=info.index,
        name=info.name,
        seconds=device.seconds,
        busy_percent=means[busy].value if busy else None,
        busy_metric=busy,
        peak_memory_used_bytes=_whole(peaks[MEMORY].value),
        mean_power_watts=means[POWER].value,
        mean_clock_sm_mhz=means[CLOCK].value,
        energy_joules=means[POWER].integral,
        max_temperature_celsius=peaks[TEMPERATURE].value,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
