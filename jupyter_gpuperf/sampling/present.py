"""The present: what was read last of each machine, as one frame."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_gpuperf.schemas import Devices, Frame
from jupyter_gpuperf.sources import Sample


def frame_of(samples: Iterable[Sample], now: float) -> Frame:
    """Return samples of different machines as the frame of this moment."""
    told = list(samples)
    here = next((each for each in told if each.host is None), None)
    return Frame(
        time_seconds=now,
        devices={uuid: readings for each in told for uuid, readings in each.devices.items()},
        host=here.machine if here else {},
        host_cores_percent=here.cores_percent if here else [],
        hosts={each.host: each.machine for each in told if each.host is not None},
        taken_seconds={
            uuid: each.time_seconds
            for each in told
            if each.time_seconds is not None
            for uuid in each.devices
        },
    )


class Present:
    """Keeps the newest sample of each machine."""

    def __init__(self) -> None:
        self._newest: dict[str | None, Sample] = {}

    def take(self, samples: Iterable[Sample], devices: Devices) -> None:
        """Take what is new; a machine without devices has gone."""
        newest = self._newest | {each.host: each for each in samples}
        there = {None, *(each.host for each in devices.devices)}
        self._newest = {host: each for host, each in newest.items() if host in there}

    def frame(self, now: float) -> Frame:
        """Return the frame of this moment."""
        return frame_of(self._newest.values(), now)
