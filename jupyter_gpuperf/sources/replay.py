"""Readings from recordings, looped in real time: each file is one device, or what it holds."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.recordings.recording import Recording
from jupyter_gpuperf.schemas import (
    DeviceInfo,
    Devices,
    ListedProcesses,
    NoDevices,
    Readings,
    TrainingNow,
)
from jupyter_gpuperf.sources.protocol import Sample, Scheme

T = TypeVar("T")

MOST_AT_ONCE: Final = 50
"""Readings between two ticks whose mean is taken: 5 s at the usual rate."""


class ReplaySource:
    """Loops recordings in real time."""

    kind = "replay"

    def __init__(
        self,
        paths: Sequence[Path],
        metrics: tuple[Metric, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._metrics = metrics
        self._clock = clock
        self._started = 0.0
        self._recordings: list[Recording] = []
        self._reason: NoDevices | None = None
        self._covering = frozenset(
            each.name for each in metrics if each.covers_tick or each.per_second
        )
        self._read_to: dict[int, float] = {}
        self._training: tuple[TrainingNow, TrainingNow] | None = None

    def open(self) -> None:
        """Load the recordings and start the loop."""
        self._recordings, self._reason = [], None
        self._read_to = {}
        for path in self._paths:
            try:
                self._recordings.append(load_recording(path, self._metrics))
            except (OSError, ValueError) as error:
                self._recordings, self._reason = [], _unreadable(path, error)
                break
        if not self._reason and not any(each.devices(0.0) for each in self._recordings):
            self._reason = _empty(self._paths)
        self._started = self._clock()

    def devices(self) -> Devices:
        """Return the devices of all recordings as they were at this moment."""
        if self._reason is not None:
            return Devices(devices=[], reason=self._reason)
        infos = [
            (number, info)
            for number, recording, seconds in self._playing()
            for info in recording.devices(seconds)
        ]
        return Devices(
            devices=[_shown(*each, index) for index, each in enumerate(infos)], reason=None
        )

    def read(self) -> Sequence[Sample]:
        """Return the readings of this moment; what covers a tick, since the reading before.

        The machine is that of the first recording.
        """
        devices: dict[str, Readings] = {}
        machine: Readings = {}
        cores_percent: list[float] = []
        for number, recording, seconds in self._playing():
            times = self._since_read(recording, seconds)
            passed = [recording.read(each) for each in times]
            for uuid, readings in passed[-1].items():
                of_this = [each[uuid] for each in passed if uuid in each]
                devices[_replayed(number, uuid)] = {**readings, **self._means(of_this)}
            if number == 0:
                hosts = [recording.read_host(each) for each in times]
                machine = {**hosts[-1], **self._means(hosts)}
                cores_percent = recording.read_host_cores(seconds)
        if not machine:
            names = [each.name for each in self._metrics if each.scope == "host"]
            machine = dict.fromkeys(names, "not_recorded")
        return [Sample(devices=devices, machine=machine, cores_percent=cores_percent)]

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device."""
        return self._of_all(lambda recording, seconds: recording.read_processes(seconds))

    def read_training(self) -> TrainingNow | None:
        """Return what the training loops of the first recording that has any did."""
        for number, recording, seconds in self._playing():
            training = recording.read_training(seconds)
            if training is not None:
                return self._shown_training(number, training)
        return None

    def _shown_training(self, number: int, training: TrainingNow) -> TrainingNow:
        # The same object as long as it holds, so that who asks sees a change by identity.
        if self._training is None or self._training[0] is not training:
            self._training = (training, _of_replay(number, training))
        return self._training[1]

    def close(self) -> None:
        """Nothing to close."""

    def _since_read(self, recording: Recording, seconds: float) -> list[float]:
        # The times of what was recorded since the reading before, this one the last.
        before = self._read_to.get(id(recording), seconds)
        self._read_to[id(recording)] = seconds
        times = recording.seconds
        last = max(0, bisect_right(times, seconds) - 1)
        first = bisect_right(times, before) if before <= seconds else last
        return [*times[max(first, last - MOST_AT_ONCE) : last], seconds]

    def _means(self, earlier: Sequence[Readings]) -> Readings:
        means: Readings = {}
        for name in self._covering if len(earlier) > 1 else ():
            values = [value for each in earlier if isinstance(value := each.get(name), float)]
            if values:
                means[name] = sum(values) / len(values)
        return means

    def _playing(self) -> Iterator[tuple[int, Recording, float]]:
        elapsed_seconds = self._clock() - self._started
        for number, recording in enumerate(self._recordings):
            yield number, recording, _position(recording.seconds, elapsed_seconds)

    def _of_all(self, ask: Callable[[Recording, float], Mapping[str, T]]) -> dict[str, T]:
        return {
            _replayed(number, uuid): answer
            for number, recording, seconds in self._playing()
            for uuid, answer in ask(recording, seconds).items()
        }


def _position(seconds: Sequence[float], elapsed_seconds: float) -> float:
    # The last reading holds as long as the average one.
    length_seconds = seconds[-1] + seconds[-1] / max(1, len(seconds) - 1)
    return elapsed_seconds % length_seconds if length_seconds else 0.0


def _replayed(number: int, uuid: str) -> str:
    # The same file may play twice, and beside the device that it was taken of.
    return f"REPLAY-{number}-{uuid}"


def _of_replay(number: int, training: TrainingNow) -> TrainingNow:
    return replace(
        training,
        notebooks=[
            replace(
                notebook,
                loaders=[
                    replace(each, device_uuid=_replayed(number, each.device_uuid))
                    if each.device_uuid
                    else each
                    for each in notebook.loaders
                ],
            )
            for notebook in training.notebooks
        ],
    )


def _shown(number: int, info: DeviceInfo, index: int) -> DeviceInfo:
    parent = info.parent_uuid
    return replace(
        info,
        uuid=_replayed(number, info.uuid),
        index=index,
        parent_uuid=None if parent is None else _replayed(number, parent),
    )


def _unreadable(path: Path, error: Exception) -> NoDevices:
    return NoDevices(
        code="recording_unreadable",
        message=f"The recording {path} can't be replayed: {error}.",
        hint="Name a recording in c.GpuPerf.source or JUPYTER_GPUPERF_SOURCE: replay:FILE[,FILE…].",
    )


def _empty(paths: Sequence[Path]) -> NoDevices:
    return NoDevices(
        code="recording_without_devices",
        message=f"The recording {', '.join(map(str, paths))} holds no GPU.",
        hint="It was taken on a machine without one. Name another in c.GpuPerf.source.",
    )


SCHEME: Final = Scheme(
    name="replay",
    form="replay:FILE[,FILE…]",
    make=lambda files, metrics: ReplaySource(
        [Path(name) for name in files.split(",") if name], metrics
    ),
    takes_argument=True,
)
