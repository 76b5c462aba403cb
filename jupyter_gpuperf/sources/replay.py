"""Readings from recordings, looped in real time: each file is one device."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, Devices, MissingReason, NoDevices
from jupyter_gpuperf.sources.rates import Rates
from jupyter_gpuperf.sources.reading import read_metrics
from jupyter_gpuperf.sources.source import DriverProcesses, Readings

PACKAGED: Final = Path(__file__).parent.parent / "recordings"
"""Recordings of real devices that come with the package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A recorded trace: its header, and readings in the order of their time."""

    label: str
    static: Mapping[str, Any]
    seconds: tuple[float, ...]
    readings: tuple[Mapping[str, Any], ...]

    def at(self, elapsed_seconds: float) -> Mapping[str, Any]:
        """Return the reading that was newest ``elapsed_seconds`` into the endless loop."""
        # The last reading holds as long as the average one.
        length_seconds = self.seconds[-1] + self.seconds[-1] / max(1, len(self.seconds) - 1)
        position_seconds = elapsed_seconds % length_seconds if length_seconds else 0.0
        return self.readings[max(0, bisect_right(self.seconds, position_seconds) - 1)]


def load_recording(path: Path) -> Recording:
    """Read a recording from ``path``, or from those of the package when only a name is given.

    Raises
    ------
    ValueError
        The file is no recording; the message says what is wrong with it.
    OSError
        The file can't be read.
    """
    if not path.exists() and (PACKAGED / path.name).exists():
        path = PACKAGED / path.name
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            header, *readings = [json.loads(line) for line in lines if line.strip()]
        seconds = tuple(float(reading["t"]) for reading in readings)
        static = dict(header["static"])
        label = str(header["trace"])
    except (ValueError, KeyError, TypeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"it is not a recording ({type(error).__name__}: {error})") from error
    if not seconds or list(seconds) != sorted(seconds):
        raise ValueError("it has no readings, or their times go backwards")
    return Recording(label=label, static=static, seconds=seconds, readings=tuple(readings))


class ReplaySource:
    """Loops recordings in real time. The host's readings are those of the first recording."""

    kind = "replay"

    def __init__(
        self,
        paths: Sequence[Path],
        metrics: tuple[Metric, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._device_metrics = tuple(metric for metric in metrics if metric.scope == "device")
        self._host_metrics = tuple(metric for metric in metrics if metric.scope == "host")
        self._clock = clock
        self._started = 0.0
        self._recordings: dict[str, Recording] = {}
        self._devices = Devices(devices=[], reason=None)
        self._rates: dict[str, Rates] = {}
        self._position_seconds = 0.0

    def open(self) -> None:
        """Load the recordings and start the loop."""
        self._started = self._clock()
        for index, path in enumerate(self._paths):
            try:
                recording = load_recording(path)
            except (OSError, ValueError) as error:
                self._recordings = {}
                self._devices = Devices(devices=[], reason=_unreadable(path, error))
                return
            self._recordings[f"REPLAY-{index}-{recording.label}"] = recording
        infos = [self._info(index, *each) for index, each in enumerate(self._recordings.items())]
        self._devices = Devices(devices=infos, reason=None)

    def devices(self) -> Devices:
        """Return one device per recording."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Return each recording's reading of this moment."""
        elapsed_seconds = self._clock() - self._started
        return {
            uuid: self._read_one(self._device_metrics, recording, elapsed_seconds)
            for uuid, recording in self._recordings.items()
        }

    def read_host(self) -> Readings:
        """Return the host's readings as recorded beside the first device."""
        for recording in self._recordings.values():
            return self._read_one(self._host_metrics, recording, self._clock() - self._started)
        return {metric.name: "not_recorded" for metric in self._host_metrics}

    def read_host_cores(self) -> list[float]:
        """Return the share of each core that worked, in percent."""
        return []

    def read_processes(self) -> DriverProcesses:
        """Return the processes on each device."""
        return {uuid: "not_recorded" for uuid in self._recordings}

    def close(self) -> None:
        """Nothing to close."""

    def _info(self, index: int, uuid: str, recording: Recording) -> DeviceInfo:
        first = self._read_one(self._device_metrics, recording, 0.0)
        return DeviceInfo(
            uuid=uuid,
            index=index,
            name=str(recording.static.get("name", recording.label)),
            state="ok",
            pci_bus_id=None,
            compute_capability=None,
            parent_uuid=None,
            unified_memory=False,
            driver_version=recording.static.get("driver"),
            memory_total_bytes=first["memory_total_bytes"],
            power_limit_watts=first["power_limit_watts"],
            clock_sm_max_mhz=first["clock_sm_max_mhz"],
            clock_memory_max_mhz=first["clock_memory_max_mhz"],
            replayed=True,
        )

    def _read_one(
        self, metrics: tuple[Metric, ...], recording: Recording, elapsed_seconds: float
    ) -> Readings:
        reading = recording.at(elapsed_seconds)
        # Rates go by the recording's own time: between two of its readings nothing has grown.
        self._position_seconds = float(reading["t"])
        scope = f"{metrics[0].scope if metrics else ''} {id(recording)}"
        rates = self._rates.setdefault(scope, Rates(lambda: self._position_seconds))

        def recorded(metric: Metric) -> float:
            value = metric.recorded(reading, recording.static)
            if value is None:
                raise KeyError(metric.name)
            return value

        return read_metrics(metrics, recorded, _not_recorded, rates)


def _unreadable(path: Path, error: Exception) -> NoDevices:
    return NoDevices(
        code="recording_unreadable",
        message=f"The recording {path} can't be replayed: {error}.",
        hint="Name a recording in c.GpuPerf.source or JUPYTER_GPUPERF_SOURCE: replay:FILE[,FILE…].",
    )


def _not_recorded(_error: Exception) -> MissingReason:
    return "not_recorded"
