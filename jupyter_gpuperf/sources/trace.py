"""Labelled traces: one device, the driver's raw answers, one JSON object a line.

The first line is the header with ``trace`` (the label) and ``static`` (what does not change); each
further one a reading at ``t`` seconds. The metrics know where in a reading they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, MissingReason, TrainingNow
from jupyter_gpuperf.sources.rates import Rates
from jupyter_gpuperf.sources.reading import read_metrics
from jupyter_gpuperf.sources.source import DriverProcess, DriverProcesses, Readings


class Trace:
    """A trace in memory.

    Parameters
    ----------
    header, lines
        The file's objects.

    Raises
    ------
    ValueError
        It has no readings, or their times go backwards; or the header lacks something.
    """

    def __init__(
        self,
        header: Mapping[str, Any],
        lines: Iterable[Mapping[str, Any]],
        metrics: Sequence[Metric],
    ) -> None:
        self._readings = tuple(lines)
        try:
            self.label = str(header["trace"])
            self._static = dict(header["static"])
            self.seconds = tuple(float(reading["t"]) for reading in self._readings)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from error
        if not self.seconds or list(self.seconds) != sorted(self.seconds):
            raise ValueError("it has no readings, or their times go backwards")
        self._device_metrics = tuple(each for each in metrics if each.scope == "device")
        self._host_metrics = tuple(each for each in metrics if each.scope == "host")
        # Rates go by the recording's own time: between two of its readings nothing has grown.
        self._position_seconds = 0.0
        self._device_rates = Rates(lambda: self._position_seconds)
        self._host_rates = Rates(lambda: self._position_seconds)
        self._info = self._describe()

    def devices(self, seconds: float) -> list[DeviceInfo]:
        """Return its one device."""
        return [self._info]

    def read(self, seconds: float) -> dict[str, Readings]:
        """Return the device's readings."""
        return {self.label: self._read(self._device_metrics, self._device_rates, seconds)}

    def read_host(self, seconds: float) -> Readings:
        """Return the machine's readings."""
        return self._read(self._host_metrics, self._host_rates, seconds)

    def read_host_cores(self, seconds: float) -> list[float]:
        """Traces hold the mean of all cores alone."""
        return []

    def read_processes(self, seconds: float) -> DriverProcesses:
        """Return the processes with their memory, where the trace has them."""
        listed = self._at(seconds).get("processes")
        if listed is None:
            return {self.label: "not_recorded"}
        return {
            self.label: [
                DriverProcess(
                    pid=int(pid),
                    kinds=("compute",),
                    memory_used_bytes="not_recorded" if used is None else float(used),
                    sm_utilization_percent="not_recorded",
                    elsewhere=True,
                )
                for pid, used in listed
            ]
        }

    def read_training(self, seconds: float) -> TrainingNow | None:
        """Traces hold the device's readings alone."""
        return None

    def _at(self, seconds: float) -> Mapping[str, Any]:
        return self._readings[max(0, bisect_right(self.seconds, seconds) - 1)]

    def _read(self, metrics: Sequence[Metric], rates: Rates, seconds: float) -> Readings:
        reading = self._at(seconds)
        self._position_seconds = float(reading["t"])

        def recorded(metric: Metric) -> float:
            value = metric.recorded(reading, self._static)
            if value is None:
                raise KeyError(metric.name)
            return value

        return read_metrics(metrics, recorded, _not_recorded, rates)

    def _describe(self) -> DeviceInfo:
        first = self._read(self._device_metrics, Rates(lambda: 0.0), 0.0)
        capability = self._static.get("compute_capability")
        return DeviceInfo(
            uuid=self.label,
            index=0,
            name=str(self._static.get("name", self.label)),
            state="ok",
            pci_bus_id=None,
            compute_capability=".".join(map(str, capability)) if capability else None,
            parent_uuid=None,
            unified_memory=False,
            driver_version=self._static.get("driver"),
            memory_total_bytes=first["memory_total_bytes"],
            power_limit_watts=first["power_limit_watts"],
            clock_sm_max_mhz=first["clock_sm_max_mhz"],
            clock_memory_max_mhz=first["clock_memory_max_mhz"],
            replayed=True,
        )


def _not_recorded(_error: Exception) -> MissingReason:
    return "not_recorded"
