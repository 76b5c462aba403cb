"""Build the input of the rules from a recording, or from the sampler's history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jupyter_gpuperf.recordings.recording import Recording
from jupyter_gpuperf.rules import Device, Process, ProcessListing, ReadingSeries, RuleInput
from jupyter_gpuperf.sampling.tiers import HistoryPiece
from jupyter_gpuperf.schemas.processes import ListedProcess, ProcessInfo
from jupyter_gpuperf.schemas.readings import DeviceInfo, Frame, MissingReason, Reading
from jupyter_gpuperf.schemas.training import LoopSteps

LISTING_SECONDS: Final = 1.0
"""Time between two process listings taken from a recording: processes hardly change."""


def input_of_recording(recording: Recording, names: Iterable[str]) -> RuleInput:
    """Return the input of the rules for a whole recording.

    Parameters
    ----------
    names
        The metrics to include.
    """
    names = tuple(names)
    times = list(recording.seconds)
    host: dict[str, list[Reading]] = {name: [] for name in names}
    columns: dict[str, dict[str, list[Reading]]] = {}
    listings: dict[str, list[ProcessListing]] = {}
    listed_seconds = -math.inf
    for place, seconds in enumerate(times):
        _take(host, recording.read_host(seconds), place)
        for uuid, readings in recording.read(seconds).items():
            _take(columns.setdefault(uuid, {name: [] for name in names}), readings, place)
        if seconds - listed_seconds >= LISTING_SECONDS:
            listed_seconds = seconds
            for uuid, listing in listings_of(recording.read_processes(seconds), seconds).items():
                listings.setdefault(uuid, []).append(listing)
    ends = (times[0], times[-1])
    infos = {info.uuid: info for seconds in ends for info in recording.devices(seconds)}
    series = {
        uuid: ReadingSeries(times_seconds=times, columns=each) for uuid, each in columns.items()
    }
    return RuleInput(
        host=ReadingSeries(times_seconds=times, columns=host),
        devices=tuple(
            _device(uuid, infos.get(uuid), each, listings.get(uuid, ()))
            for uuid, each in series.items()
        ),
        steps=_steps_in(recording),
    )


def _steps_in(recording: Recording) -> tuple[LoopSteps, ...]:
    """Return the latest step figures of each watched loader: by then its start-up is over."""
    newest: dict[tuple[int | None, str, int], LoopSteps] = {}
    for seconds in recording.seconds:
        training = recording.read_training(seconds)
        for notebook in training.notebooks if training else ():
            for each in notebook.loaders:
                newest[each.pid, each.notebook, each.loader_id] = each
    return tuple(newest.values())


def listings_of(
    listed: Mapping[str, Sequence[ListedProcess | ProcessInfo] | MissingReason], seconds: float
) -> dict[str, ProcessListing]:
    """Return the compute processes of each device, without the devices whose processes can't be listed.

    Parameters
    ----------
    listed
        Device UUID → its processes, as listed by the driver or with their notebooks; or the reason why they can't be
        listed.
    seconds
        The time of the listing.
    """
    return {
        uuid: ProcessListing(
            time_seconds=seconds,
            processes=tuple(_process(each) for each in processes if "compute" in each.kinds),
        )
        for uuid, processes in listed.items()
        if not isinstance(processes, str)
    }


def _process(listed: ListedProcess | ProcessInfo) -> Process:
    kernel = listed.kernel if isinstance(listed, ProcessInfo) else None
    return Process(
        pid=listed.driver_pid if isinstance(listed, ProcessInfo) else listed.pid,
        notebook=kernel.notebook_path if kernel else None,
        memory_used_bytes=listed.memory_used_bytes,
        sm_utilization_percent=listed.sm_utilization_percent,
    )


def input_of_history(
    past: Mapping[str, HistoryPiece],
    host: HistoryPiece,
    *,
    latest: Frame,
    infos: Sequence[DeviceInfo],
    listings: Mapping[str, Sequence[ProcessListing]],
    steps: Sequence[LoopSteps] = (),
) -> RuleInput:
    """Return the input of the rules for the recent history.

    Parameters
    ----------
    past, host
        The history of the devices and of the host at full rate; NaN where a tick had no value.
    latest
        The latest frame. Limits have no history, so their values in this frame are used for the whole time.
    """
    known = {info.uuid: info for info in infos}
    series = {
        uuid: _with_limits(past[uuid], latest.devices.get(uuid, {}))
        for uuid in past
        if uuid in known
    }
    return RuleInput(
        host=_with_limits(host, latest.host),
        devices=tuple(
            _device(uuid, known[uuid], each, listings.get(uuid, ()))
            for uuid, each in series.items()
        ),
        steps=tuple(steps),
    )


def _take(columns: dict[str, list[Reading]], readings: Mapping[str, Reading], place: int) -> None:
    for name, column in columns.items():
        # Pad the column if the device appeared after the first reading.
        column.extend(["not_recorded"] * (place - len(column)))
        column.append(readings.get(name, "not_recorded"))


def _device(
    uuid: str, info: DeviceInfo | None, series: ReadingSeries, listings: Sequence[ProcessListing]
) -> Device:
    return Device(
        uuid=uuid,
        index=info.index if info else 0,
        name=info.name if info else uuid,
        series=series,
        listings=tuple(listings),
        compute_capability=info.compute_capability if info else None,
    )


def _with_limits(piece: HistoryPiece, readings: Mapping[str, Reading]) -> ReadingSeries:
    count = len(piece.times_seconds)
    limits: dict[str, Sequence[Reading]] = {
        name: [value] * count for name, value in readings.items() if name not in piece.metrics
    }
    # At full rate, minimum, mean and maximum are the same.
    means = {name: mean for name, (_, mean, _) in piece.metrics.items()}
    return ReadingSeries(times_seconds=piece.times_seconds, columns=limits | means)
