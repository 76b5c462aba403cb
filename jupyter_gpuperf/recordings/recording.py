"""A recording in memory: devices and their host over time.

Readings are stored in columns: an hour of eight devices at 10 Hz takes about 200 MB, not ten times as much.
"""

from __future__ import annotations

import math
import reprlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.recording_format import FORMAT_VERSION
from jupyter_gpuperf.recordings.replayed_loops import with_uuid_prefix
from jupyter_gpuperf.schemas.processes import ListedProcess, ListedProcesses
from jupyter_gpuperf.schemas.readings import DeviceInfo, MissingReason, Readings
from jupyter_gpuperf.schemas.training import TrainingNow

NOT_PLAYED: Final = ("alerts",)
"""Kinds of messages that are not replayed: a replay generates them anew."""

REASONS: Final[tuple[MissingReason, ...]] = get_args(MissingReason)

LONGEST_GAP_SECONDS: Final = 120.0
"""Twice the longest interval of a recording. A longer gap is no time in which anything was measured."""
MOST_KINDS: Final = 20
"""Maximum number of unknown kinds of messages that are named in the log."""
VALUE_BYTES: Final = 8

T = TypeVar("T")


class Recording:
    """Recorded readings by time, in seconds since the beginning. Each method returns the latest values at a time.

    Parameters
    ----------
    header, messages
        The first object of the file, and the others.
    metrics
        The metrics of this version. Other metrics in the file are left out; missing ones are ``not_recorded``.
    uuid_prefix
        Prefix that is added to the devices' UUIDs.
    limit_bytes
        Maximum size of the readings in memory.

    Raises
    ------
    ValueError
        The recording has no readings or too many, or comes from a newer version of the product.

    Attributes
    ----------
    label
        Name of the recording.
    seconds
        The times of the readings, in order; at least one.
    unknown
        Number of messages that are unknown or can't be decoded, by kind.
    """

    def __init__(
        self,
        header: Mapping[str, Any],
        messages: Iterable[Mapping[str, Any]],
        metrics: Sequence[Metric],
        uuid_prefix: str = "",
        limit_bytes: float = math.inf,
    ) -> None:
        if header.get("format_version") != FORMAT_VERSION:
            found = header.get("format_version")
            raise ValueError(f"format version {found!r} needs a newer jupyter_gpuperf")
        self.label = str(header.get("label") or "recording")
        self.seconds: array[float] = array("d")
        self.unknown: Counter[str] = Counter()
        self._uuid_prefix, self._left_bytes = uuid_prefix, limit_bytes
        self._device_metrics = [each.name for each in metrics if each.scope == "device"]
        self._tables: dict[str, _Table] = {}
        self._host = _Table([each.name for each in metrics if each.scope == "host"])
        self._cores: list[array[float]] = []
        self._devices = _Changes(self._described(header.get("devices", [])))
        self._processes: _Changes[ListedProcesses] = _Changes({})
        self._training: _Changes[TrainingNow | None] = _Changes(None)
        self._began_seconds = math.nan
        for message in messages:
            self._take(message)
        if not self.seconds:
            raise ValueError("it has no readings")

    def devices(self, seconds: float) -> list[DeviceInfo]:
        """Return the devices as they were, including lost ones."""
        return self._devices.at(seconds)

    def read(self, seconds: float) -> dict[str, Readings]:
        """Return each device's readings."""
        place = self._place(seconds)
        return {uuid: table.row(place) for uuid, table in self._tables.items()}

    def read_host(self, seconds: float) -> Readings:
        """Return the machine's readings."""
        return self._host.row(self._place(seconds))

    def read_host_cores(self, seconds: float) -> list[float]:
        """Return how busy each CPU core is, in percent."""
        return list(self._cores[self._place(seconds)])

    def read_processes(self, seconds: float) -> ListedProcesses:
        """Return each device's processes; their pids mean nothing on this machine."""
        known = self._processes.at(seconds)
        return {uuid: known.get(uuid, "not_recorded") for uuid in self._tables}

    def read_training(self, seconds: float) -> TrainingNow | None:
        """Return the state of the watched training loops; ``None`` before the first report."""
        return self._training.at(seconds)

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message.get("type")
        # Other messages come between two frames, and apply from the earlier one on.
        now = self.seconds[-1] if self.seconds else 0.0
        if kind == "frame":
            self._add(message)
        elif kind == "devices":
            self._devices.add(now, self._described(message["devices"]["devices"]))
        elif kind == "training":
            self._add_training(now, message)
        elif kind == "processes":
            self._add_processes(now, message["devices"])
        elif kind not in NOT_PLAYED:
            name = reprlib.repr(kind) if len(self.unknown) < MOST_KINDS else "…"
            self.unknown[f"message of unknown kind {name}"] += 1

    def _add(self, frame: Mapping[str, Any]) -> None:
        time_seconds = float(frame["time_seconds"])
        if math.isnan(self._began_seconds):
            self._began_seconds = time_seconds
        elapsed_seconds = time_seconds - self._began_seconds
        before = self.seconds[-1] if self.seconds else -1e-3
        if not 0 < elapsed_seconds - before <= LONGEST_GAP_SECONDS:
            # The clock was changed, or the machine slept: continue at the latest time so far.
            elapsed_seconds = before + 1e-3
            self._began_seconds = time_seconds - elapsed_seconds
        place = len(self.seconds)
        self.seconds.append(elapsed_seconds)
        for recorded_uuid, readings in frame["devices"].items():
            uuid = self._uuid_prefix + recorded_uuid
            if uuid not in self._tables:
                self._tables[uuid] = _Table(self._device_metrics)
            self._left_bytes -= self._tables[uuid].put(place, readings)
            if self._left_bytes < 0:
                raise ValueError("its readings are too many for its size")
        self._host.put(place, frame["host"])
        self._cores.append(array("f", frame.get("host_cores_percent", ())))

    def _described(self, raw: Any) -> list[DeviceInfo]:  # raw: from a file
        try:
            infos = msgspec.convert(raw, list[DeviceInfo])
        except msgspec.ValidationError as error:
            raise ValueError(f"unreadable list of devices: {error}") from error
        return [
            replace(
                info,
                uuid=self._uuid_prefix + info.uuid,
                parent_uuid=info.parent_uuid and self._uuid_prefix + info.parent_uuid,
                replayed=True,
            )
            for info in infos
        ]

    def _add_processes(self, now: float, devices: Mapping[str, Any]) -> None:
        try:
            listed = {self._uuid_prefix + uuid: _processes(each) for uuid, each in devices.items()}
        except msgspec.ValidationError:
            self.unknown["unreadable list of processes"] += 1
            return
        self._processes.add(now, listed)

    def _add_training(self, now: float, message: Mapping[str, Any]) -> None:
        try:
            training = msgspec.convert(dict(message), TrainingNow)
        except msgspec.ValidationError:
            self.unknown["unreadable training message"] += 1
            return
        self._training.add(now, with_uuid_prefix(training, self._uuid_prefix))

    def _place(self, seconds: float) -> int:
        return max(0, bisect_right(self.seconds, seconds) - 1)


class _Table:
    """Readings in columns: values, and reasons for missing values."""

    def __init__(self, names: Sequence[str]) -> None:
        self._values = {name: array("d") for name in names}
        self._reasons: dict[str, dict[int, str]] = {name: {} for name in names}
        self._length = 0

    def put(self, place: int, readings: Mapping[str, Any]) -> int:
        """Store the readings of a frame; return by how many bytes the table grew."""
        grown = (place + 1 - self._length) * len(self._values) * VALUE_BYTES
        self._length = place + 1
        for name, column in self._values.items():
            # Fill the rows of frames in which the device was missing.
            column.extend([math.nan] * (place - len(column)))
            reading = readings.get(name)
            if isinstance(reading, (int, float)):
                column.append(float(reading))
                continue
            column.append(math.nan)
            if reading in REASONS:
                # All readings share the strings of REASONS, which saves memory.
                self._reasons[name][place] = REASONS[REASONS.index(reading)]
        return grown

    def row(self, place: int) -> Readings:
        return {name: self._at(name, column, place) for name, column in self._values.items()}

    def _at(self, name: str, column: array[float], place: int) -> Any:
        value = column[place] if place < len(column) else math.nan
        return self._reasons[name].get(place, "not_recorded") if math.isnan(value) else value


class _Changes(Generic[T]):
    """A value that changes over time: each value applies from its time until that of the next one."""

    def __init__(self, first: T) -> None:
        self._seconds = [-math.inf]
        self._values = [first]

    def add(self, seconds: float, value: T) -> None:
        if value != self._values[-1]:
            self._seconds.append(seconds)
            self._values.append(value)

    def at(self, seconds: float) -> T:
        return self._values[bisect_right(self._seconds, seconds) - 1]


def _processes(raw: Any) -> list[ListedProcess] | MissingReason:  # raw: from a file
    if isinstance(raw, str):
        return raw if raw in REASONS else "not_recorded"
    listed = msgspec.convert(raw, list[ListedProcess])
    return [replace(each, elsewhere=True) for each in listed]
