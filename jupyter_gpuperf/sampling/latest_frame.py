"""The current state: the last readings of each machine, as one frame."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_gpuperf.schemas import Devices, Frame
from jupyter_gpuperf.sources import Sample


def frame_of(samples: Iterable[Sample], now: float) -> Frame:
    """Combine samples of different machines into one frame with the time ``now``."""
    latest = list(samples)
    here = next((each for each in latest if each.host is None), None)
    return Frame(
        time_seconds=now,
        devices={uuid: readings for each in latest for uuid, readings in each.devices.items()},
        host=here.machine if here else {},
        host_cores_percent=here.cores_percent if here else [],
        hosts={each.host: each.machine for each in latest if each.host is not None},
        taken_seconds={
            uuid: each.time_seconds
            for each in latest
            if each.time_seconds is not None
            for uuid in each.devices
        },
    )


def latest_per_machine(samples: Iterable[Sample], devices: Devices) -> list[Sample]:
    """Return the last sample of each machine. Other machines are dropped once they have no devices."""
    there = {None, *(each.host for each in devices.devices)}
    return list({each.host: each for each in samples if each.host in there}.values())
