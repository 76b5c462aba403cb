"""A source whose readings a command writes: on this machine, or on another one."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Devices, ListedProcesses, NoDevices, Readings, TrainingNow
from jupyter_gpuperf.sources.protocol import Sample
from jupyter_gpuperf.sources.streams.child import ChildStream
from jupyter_gpuperf.sources.streams.messages import Stream

MOST_WAITING: Final = 100
"""Readings that wait for the next tick; older ones are dropped."""
SILENT_SECONDS: Final = 5.0
"""Devices count as not answering after this long without readings."""


class StreamSource:
    """Reads one command.

    Parameters
    ----------
    name
        What is shown of the address; never the command itself, which may contain secrets.
    command
        Program and arguments.
    clock
        Returns Unix time. Readings get the time at which they arrive: clocks of other machines may be off.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        metrics: tuple[Metric, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.kind = name.partition(":")[0]
        self._name, self._metrics, self._clock = name, metrics, clock
        self._lock = threading.Lock()
        self._stream = Stream(metrics)
        self._waiting: deque[Sample] = deque(maxlen=MOST_WAITING)
        self._machines: dict[str, _Machine] = {}
        self._owners: dict[str, str] = {}
        """UUID → the machine that has the device: two jobs on one host may both see it."""
        self._child = ChildStream(command, self._take, self._begin)

    def open(self) -> None:
        """Start the command; returns at once."""
        self._child.start()

    def close(self) -> None:
        """End the command."""
        self._child.stop()

    def devices(self) -> Devices:
        """Return the devices of the latest lists, or why nothing has come so far."""
        with self._lock:
            found = [
                replace(info, state="not_answering") if machine.is_silent else info
                for name, machine in sorted(self._machines.items(), key=_natural)
                for info in machine.devices.devices
                if self._owners[info.uuid] == name
            ]
            reasons = [each.devices.reason for each in self._machines.values()]
        if found:
            numbered = [replace(each, index=index) for index, each in enumerate(found)]
            return Devices(devices=numbered, reason=None)
        reasons = [each for each in reasons if each is not None]
        return Devices(devices=[], reason=reasons[0] if reasons else self._why_none())

    def read(self) -> Sequence[Sample]:
        """Return what has arrived. Once nothing of a machine has come for five seconds, return readings that say so."""
        self._child.look()
        now = self._clock()
        with self._lock:
            samples = list(self._waiting)
            self._waiting.clear()
            for each in self._machines.values():
                if (silenced := each.silenced(now)) is not None:
                    samples.append(silenced)
        return samples

    def read_processes(self) -> ListedProcesses:
        """Return the latest lists of processes."""
        listed: ListedProcesses = {}
        with self._lock:
            for each in self._stream.machines.values():
                listed |= each.processes
        return listed

    def read_training(self) -> TrainingNow | None:
        """Return ``None``."""
        return None

    def _begin(self) -> None:
        with self._lock:
            self._stream = Stream(self._metrics)

    def _take(self, line: bytes) -> bool:
        with self._lock:
            said, frame = self._stream.take(line)
            if said.has_ended:
                self._forget(said.name)
                return False
            if said.devices is None:
                return False
            machine = self._machines.setdefault(said.name, _Machine(said.devices))
            if frame is None:
                self._list(said.name, said.devices)
                return False
            machine.latest = Sample(
                devices={
                    uuid: readings
                    for uuid, readings in frame.devices.items()
                    if self._owners.get(uuid) == said.name
                },
                machine=frame.host,
                cores_percent=frame.host_cores_percent,
                host=said.host,
                time_seconds=self._clock(),
            )
            machine.is_silent = False
            self._waiting.append(machine.latest)
            return True

    def _list(self, name: str, devices: Devices) -> None:
        self._machines[name].devices = devices
        for each in devices.devices:
            self._owners.setdefault(each.uuid, name)

    def _forget(self, name: str) -> None:
        self._machines.pop(name, None)
        self._owners = {uuid: owner for uuid, owner in self._owners.items() if owner != name}
        for other, machine in self._machines.items():
            self._list(other, machine.devices)

    def _why_none(self) -> NoDevices:
        if not self._child.reason:
            return NoDevices(
                code="starting",
                message=Message("Waiting for readings from {name}.", name=self._name),
                hint=Message("This takes as long as the command takes to start."),
            )
        return NoDevices(
            code="stream_ended",
            message=Message(
                "No readings from {name}: {reason}.", name=self._name, reason=self._child.reason
            ),
            hint=Message(
                "Run the command in a terminal: it must write lines. It is started again by itself."
            ),
        )


@dataclass
class _Machine:
    """What is known of a machine, also while its command is started again."""

    devices: Devices
    latest: Sample | None = None
    is_silent: bool = False

    def silenced(self, now: float) -> Sample | None:
        """Return readings that say that nothing comes any more, once; ``None`` while something does."""
        latest = self.latest
        if latest is None or latest.time_seconds is None or self.is_silent:
            return None
        if now - latest.time_seconds < SILENT_SECONDS:
            return None
        self.is_silent = True
        return Sample(
            devices={uuid: _missing(readings) for uuid, readings in latest.devices.items()},
            machine=_missing(latest.machine),
            host=latest.host,
            time_seconds=now,
        )


def _natural(item: tuple[str, object]) -> list[tuple[int, str]]:
    """Sort node10 after node9."""
    parts = re.split(r"(\d+)", item[0])
    return [(int(each) if each.isdecimal() else -1, each) for each in parts]


def _missing(readings: Readings) -> Readings:
    return dict.fromkeys(readings, "not_answering")
