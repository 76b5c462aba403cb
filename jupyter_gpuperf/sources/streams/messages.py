"""Parse the lines of a stream. They come from another machine: everything in them is bounded, and unknown things are dropped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.printable import printable
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.recording_format import FORMAT
from jupyter_gpuperf.schemas import (
    DeviceInfo,
    Devices,
    Frame,
    ListedProcess,
    ListedProcesses,
    MissingReason,
    Readings,
)

MOST_MACHINES: Final = 256
MOST_DEVICES: Final = 64
"""Of one machine."""
MOST_PROCESSES: Final = 512
MOST_CORES: Final = 4096
LONGEST_TEXT: Final = 200
LONGEST_NAME: Final = 64
UNNAMED: Final = "?"


class NotAStream(ValueError):
    """A line is no message of a stream; the first argument is the reason, which may be a :class:`Message`."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a machine.

    Attributes
    ----------
    machine
        What the machine's other lines call it; by default, its ``host``. Two jobs may share one host.
    """

    format: str
    version: str = ""
    host: str = ""
    machine: str = ""


class _Devices(msgspec.Struct, frozen=True, kw_only=True, tag="devices"):
    devices: Devices


class _Listed(msgspec.Struct, frozen=True, kw_only=True, tag="processes"):
    devices: dict[str, list[ListedProcess] | MissingReason]


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    machine: str = ""


END: Final = "end"
"""The kind of message after which a machine no longer belongs to the stream, as a node whose job has ended."""


class Stream:
    """The messages of one command; those of several machines may come in turn, as of the nodes of a job.

    Attributes
    ----------
    machines
        The name in the stream → what that machine has said so far.
    """

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._metrics = metrics
        self.machines: dict[str, MachineState] = {}

    def take(self, line: bytes) -> tuple[MachineState, Frame | None]:
        """Take a line; return the machine that it is of, and its readings, if it has any.

        Raises
        ------
        NotAStream
            The line is no such message, or a machine's first one is no header.
        """
        try:
            kind = msgspec.json.decode(line, type=_Kind)
            name = kind.machine or next(iter(self.machines), "")
            if name in self.machines and kind.type:
                machine = self.machines[name]
                machine.has_ended = kind.type == END
                if machine.has_ended:
                    del self.machines[name]
                return machine, machine.take(line, kind.type)
            header = msgspec.json.decode(line, type=Header)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise NotAStream(one_line(str(error))) from error
        if header.format != FORMAT:
            raise NotAStream(Message("it does not begin with the header of a stream"))
        name = header.machine or header.host
        if len(self.machines) == MOST_MACHINES and name not in self.machines:
            raise NotAStream(Message("it is of too many machines"))
        host = one_line(header.host, LONGEST_NAME) or UNNAMED
        self.machines[name] = MachineState(name, host, self._metrics)
        return self.machines[name], None


@dataclass
class MachineState:
    """What one machine has said so far.

    Parameters
    ----------
    name
        What the stream calls it.
    host
        The machine's name.
    metrics
        The known metrics; readings of others are dropped.

    Attributes
    ----------
    devices
        The latest list of devices; their ``host`` is set.
    processes
        The latest list of processes.
    has_ended
        Whether it no longer belongs to the stream.
    """

    name: str
    host: str
    metrics: tuple[Metric, ...]
    devices: Devices | None = None
    processes: ListedProcesses = field(default_factory=dict)
    has_ended: bool = False

    def __post_init__(self) -> None:
        self._uuids: dict[str, str] = {}
        """UUID in the stream → UUID here, of the latest list of devices."""
        self._names = {
            scope: frozenset(each.name for each in self.metrics if each.scope == scope)
            for scope in ("device", "host")
        }

    def take(self, line: bytes, kind: str) -> Frame | None:
        """Take a message of a kind; return its readings, if it has any.

        Raises
        ------
        MsgspecError
            It is no such message.
        """
        if kind == "frame":
            return self._frame(msgspec.json.decode(line, type=Frame))
        if kind == "devices":
            self._list(msgspec.json.decode(line, type=_Devices).devices)
        elif kind == "processes":
            listed = msgspec.json.decode(line, type=_Listed).devices
            self.processes = dict(self._bounded_processes(listed))
        return None

    def _list(self, devices: Devices) -> None:
        self._uuids = {}
        infos = [self._described(each) for each in devices.devices[:MOST_DEVICES]]
        reason = devices.reason
        if reason is not None:
            code, message, hint = map(one_line, (reason.code, reason.message, reason.hint))
            reason = replace(reason, code=code, message=message, hint=hint)
        self.devices = Devices(devices=infos, reason=reason)

    def _described(self, info: DeviceInfo) -> DeviceInfo:
        texts = {
            name: one_line(value)
            for name in info.__struct_fields__
            if isinstance(value := getattr(info, name), str)
        }
        # Recordings of one file have the same UUIDs on all machines.
        texts["uuid"] = f"{self.host}-{texts['uuid']}" if info.replayed else texts["uuid"]
        self._uuids[info.uuid] = texts["uuid"]
        return replace(info, **texts, host=self.host)

    def _frame(self, frame: Frame) -> Frame:
        return Frame(
            time_seconds=frame.time_seconds,
            devices={
                self._uuids[uuid]: self._known(readings, "device")
                for uuid, readings in frame.devices.items()
                if uuid in self._uuids
            },
            host=self._known(frame.host, "host"),
            host_cores_percent=[x for x in frame.host_cores_percent[:MOST_CORES] if _finite(x)],
        )

    def _known(self, readings: Readings, scope: str) -> Readings:
        names = self._names[scope]
        return {
            name: value
            for name, value in readings.items()
            if name in names and (isinstance(value, str) or _finite(value))
        }

    def _bounded_processes(self, listed: ListedProcesses) -> Iterable[tuple[str, Any]]:
        for uuid, processes in listed.items():
            if uuid not in self._uuids:
                continue
            known = processes
            if not isinstance(processes, str):
                known = [self._elsewhere(each) for each in processes[:MOST_PROCESSES]]
            yield self._uuids[uuid], known

    def _elsewhere(self, process: ListedProcess) -> ListedProcess:
        kinds = tuple(map(one_line, process.kinds[:4]))
        return replace(process, kinds=kinds, elsewhere=True, host=self.host)


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text from elsewhere as one printable line, not longer than allowed."""
    return " ".join(printable(text[:longest]).split())


def _finite(value: float) -> bool:
    return math.isfinite(value)
