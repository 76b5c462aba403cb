"""Replay recordings in real time, in a loop. Several files are replayed side by side, with all their devices."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.recordings.recording import Recording
from jupyter_gpuperf.schemas import Devices, ListedProcesses, NoDevices, Readings, TrainingNow
from jupyter_gpuperf.sources.protocol import Sample, Scheme

MOST_AVERAGED: Final = 50
"""Maximum number of recorded readings averaged for one tick: 5 s at the usual rate."""
SHORTEST_PASS_SECONDS: Final = 15.0
"""The passes of a shorter recording count as one: it is a part of steady work, and too short to be judged alone."""


class ReplaySource:
    """Replays recordings in real time, in a loop."""

    kind = "replay"

    def __init__(
        self,
        paths: Sequence[Path],
        metrics: tuple[Metric, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._metrics, self._clock = paths, metrics, clock
        self._started = 0.0
        self._recordings: list[Recording] = []
        self._reason: NoDevices | None = None
        self._averaged = [each.name for each in metrics if each.covers_tick or each.per_second]
        self._read_to: dict[int, float] = {}

    def open(self) -> None:
        """Load the recordings and start to replay them."""
        self._recordings, self._reason, self._read_to = [], None, {}
        for number, path in enumerate(self._paths):
            # New UUIDs: the same file may be replayed twice, or beside the device that it was recorded on.
            try:
                self._recordings.append(load_recording(path, self._metrics, f"REPLAY-{number}-"))
            except (OSError, ValueError) as error:
                self._recordings = []
                reason = getattr(error, "strerror", None) or error  # without the path
                self._reason = NoDevices(
                    code="recording_unreadable",
                    message=Message("Can't replay {path}: {error}.", path=path, error=reason),
                    hint="Set c.GpuPerf.source or JUPYTER_GPUPERF_SOURCE to replay:FILE[,FILE…].",
                )
                break
        if not self._reason and not any(each.devices(0.0) for each in self._recordings):
            self._reason = NoDevices(
                code="recording_without_devices",
                message=Message("No GPU in the recording {paths}.", paths=self._paths),
                hint="Set c.GpuPerf.source to a recording from a host with a GPU.",
            )
        self._started = self._clock()

    def devices(self) -> Devices:
        """Return the devices of all recordings as they were at the current position."""
        if self._reason is not None:
            return Devices(devices=[], reason=self._reason)
        infos = chain.from_iterable(each.devices(seconds) for each, seconds in self._playing())
        devices = [replace(info, index=index) for index, info in enumerate(infos)]
        return Devices(devices=devices, reason=None)

    def read(self) -> Sequence[Sample]:
        """Return the readings at the current position.

        For metrics that cover the time between two ticks, return the mean since the last read.

        The host's readings are taken from the first of the recordings.
        """
        devices: dict[str, Readings] = {}
        machine: Readings = {}
        cores_percent: list[float] = []
        played: dict[str, float] = {}
        for recording, seconds in self._playing():
            times = self._since_read(recording, seconds)
            is_long = recording.seconds[-1] >= SHORTEST_PASS_SECONDS
            played_seconds = seconds if is_long else self._clock() - self._started
            uuids = (each.uuid for each in recording.devices(seconds))
            played |= dict.fromkeys(uuids, played_seconds)
            passed = [recording.read(each) for each in times]
            for uuid, readings in passed[-1].items():
                of_this = [each[uuid] for each in passed if uuid in each]
                devices[uuid] = {**readings, **self._means(of_this)}
            if not machine:
                hosts = [recording.read_host(each) for each in times]
                machine = {**hosts[-1], **self._means(hosts)}
                cores_percent = recording.read_host_cores(seconds)
        if not machine:
            names = [each.name for each in self._metrics if each.scope == "host"]
            machine = dict.fromkeys(names, "not_recorded")
        return [
            Sample(
                devices=devices,
                machine=machine,
                cores_percent=cores_percent,
                played_seconds=played,
            )
        ]

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device at the current position."""
        listed: ListedProcesses = {}
        for recording, seconds in self._playing():
            listed |= recording.read_processes(seconds)
        return listed

    def read_training(self) -> TrainingNow | None:
        """Return the activity of training loops, from the first recording with any; ``None`` if there is none."""
        trainings = (recording.read_training(seconds) for recording, seconds in self._playing())
        return next(filter(None, trainings), None)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _since_read(self, recording: Recording, seconds: float) -> list[float]:
        # Return the times of the recorded readings since the last read; the last is the current position.
        before = self._read_to.get(id(recording), seconds)
        self._read_to[id(recording)] = seconds
        times = recording.seconds
        last = max(0, bisect_right(times, seconds) - 1)
        first = bisect_right(times, before) if before <= seconds else last
        return [*times[max(first, last - MOST_AVERAGED) : last], seconds]

    def _means(self, earlier: Sequence[Readings]) -> Readings:
        means: Readings = {}
        for name in self._averaged if len(earlier) > 1 else ():
            values = [value for each in earlier if isinstance(value := each.get(name), float)]
            if values:
                means[name] = sum(values) / len(values)
        return means

    def _playing(self) -> Iterator[tuple[Recording, float]]:
        elapsed_seconds = self._clock() - self._started
        for recording in self._recordings:
            yield recording, _position(recording.seconds, elapsed_seconds)


def _position(seconds: Sequence[float], elapsed_seconds: float) -> float:
    # The last reading lasts as long as the average reading.
    length_seconds = seconds[-1] + seconds[-1] / max(1, len(seconds) - 1)
    return elapsed_seconds % length_seconds if length_seconds else 0.0


SCHEME: Final = Scheme(
    name="replay",
    form="replay:FILE[,FILE…]",
    make=lambda files, metrics: ReplaySource([*map(Path, filter(None, files.split(",")))], metrics),
    takes_argument=True,
)
