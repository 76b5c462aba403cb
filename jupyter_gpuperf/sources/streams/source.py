"""A source whose readings a command writes: on this machine, or on another one."""

from __future__ import annotations

import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Devices, ListedProcesses, NoDevices, Readings, TrainingNow
from jupyter_gpuperf.sources.protocol import Sample, Scheme
from jupyter_gpuperf.sources.streams.child import ChildStream
from jupyter_gpuperf.sources.streams.messages import StreamState

MOST_WAITING: Final = 100
"""Readings that wait for the next tick; older ones are dropped."""
SILENT_SECONDS: Final = 5.0
"""Devices count as not answering after this long without readings."""
REMOTE_COMMAND: Final = ("jupyter", "gpuperf", "stream")


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
        self._state = StreamState(metrics)
        self._waiting: deque[Sample] = deque(maxlen=MOST_WAITING)
        self._devices: Devices | None = None
        self._latest: Sample | None = None
        self._is_silent = False
        self._child = ChildStream(command, self._take, self._begin)

    def open(self) -> None:
        """Start the command; returns at once."""
        self._child.start()

    def close(self) -> None:
        """End the command."""
        self._child.stop()

    def devices(self) -> Devices:
        """Return the devices of the latest list, or why nothing has come so far."""
        with self._lock:
            known = self._devices
        if known is None:
            return Devices(devices=[], reason=self._why_none())
        if not self._is_silent:
            return known
        silent = [replace(each, state="not_answering") for each in known.devices]
        return Devices(devices=silent, reason=known.reason)

    def read(self) -> Sequence[Sample]:
        """Return what has arrived. Once nothing has come for five seconds, return readings that say so."""
        self._child.look()
        with self._lock:
            samples = list(self._waiting)
            self._waiting.clear()
            latest = self._latest
        if samples or latest is None:
            self._is_silent = False if samples else self._is_silent
            return samples
        assert latest.time_seconds is not None
        if self._is_silent or self._clock() - latest.time_seconds < SILENT_SECONDS:
            return []
        self._is_silent = True
        return [_silenced(latest, self._clock())]

    def read_processes(self) -> ListedProcesses:
        """Return the latest lists of processes."""
        with self._lock:
            return dict(self._state.processes)

    def read_training(self) -> TrainingNow | None:
        """Return ``None``."""
        return None

    def _begin(self) -> None:
        with self._lock:
            self._state = StreamState(self._metrics)

    def _take(self, line: bytes) -> bool:
        with self._lock:
            frame = self._state.take(line)
            if self._state.devices is not None:
                self._devices = self._state.devices
            if frame is None:
                return False
            self._latest = Sample(
                devices=frame.devices,
                machine=frame.host,
                cores_percent=frame.host_cores_percent,
                host=self._state.host,
                time_seconds=self._clock(),
            )
            self._waiting.append(self._latest)
            return True

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


def _silenced(latest: Sample, now: float) -> Sample:
    missing: Callable[[Readings], Readings] = lambda readings: dict.fromkeys(
        readings, "not_answering"
    )
    return Sample(
        devices={uuid: missing(readings) for uuid, readings in latest.devices.items()},
        machine=missing(latest.machine),
        host=latest.host,
        time_seconds=now,
    )


def _of_command(argument: str, metrics: tuple[Metric, ...]) -> StreamSource:
    try:
        command = shlex.split(argument)
    except ValueError as error:
        message, hint = "The command after exec: can't be read: {error}.", "Check its quotes."
        raise BadRequest("unknown_source", message, hint, error=error) from None
    if not command:
        raise BadRequest("unknown_source", "There is no command after exec:.", "Add one.")
    return StreamSource(f"exec:{command[0]}", command, metrics)


def _of_host(argument: str, metrics: tuple[Metric, ...]) -> StreamSource:
    if argument.startswith("-") or not argument.split():
        message, hint = "{host!r} is no host.", "Use ssh:HOST or ssh:USER@HOST."
        raise BadRequest("unknown_source", message, hint, host=argument)
    options = ("-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15")
    return StreamSource(
        f"ssh:{argument}", ["ssh", *options, "--", argument, *REMOTE_COMMAND], metrics
    )


EXEC_SCHEME: Final = Scheme(name="exec", form="exec:COMMAND", make=_of_command, takes_argument=True)
SSH_SCHEME: Final = Scheme(name="ssh", form="ssh:HOST", make=_of_host, takes_argument=True)
