"""Several sources as one: this machine and others."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from jupyter_gpuperf.schemas import DeviceInfo, Devices, ListedProcesses, TrainingNow
from jupyter_gpuperf.sources.protocol import Sample, Source


class SeveralSources:
    """Reads several sources in turn.

    A device that two sources see counts once, for the first of them. If two have the same machine's name, the later one
    gets a number after it.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._names: dict[tuple[int, str], str] = {}
        self._owners: dict[str, int] = {}
        """UUID → the place of the source that has the device, as of the latest list."""

    @property
    def kind(self) -> str:
        """The kinds of all sources."""
        return "+".join(dict.fromkeys(each.kind for each in self._sources))

    def open(self) -> None:
        """Open all sources."""
        for each in self._sources:
            each.open()

    def devices(self) -> Devices:
        """Return the devices of all sources; if there are none, the reason of the first."""
        found: dict[str, DeviceInfo] = {}
        listed = [each.devices() for each in self._sources]
        self._owners = {}
        for place, devices in enumerate(listed):
            for info in devices.devices:
                self._owners.setdefault(info.uuid, place)
                found.setdefault(info.uuid, replace(info, host=self._name(place, info.host)))
        numbered = [replace(each, index=index) for index, each in enumerate(found.values())]
        reason = None if numbered else next((each.reason for each in listed), None)
        return Devices(devices=numbered, reason=reason)

    def read(self) -> Sequence[Sample]:
        """Return the samples of all sources."""
        samples: list[Sample] = []
        owners = self._owners
        for place, source in enumerate(self._sources):
            for sample in source.read():
                own = {
                    uuid: readings
                    for uuid, readings in sample.devices.items()
                    if owners.setdefault(uuid, place) == place
                }
                samples.append(replace(sample, devices=own, host=self._name(place, sample.host)))
        return samples

    def read_processes(self) -> ListedProcesses:
        """Return the processes of all sources' devices."""
        listed: ListedProcesses = {}
        for place, source in reversed([*enumerate(self._sources)]):
            for uuid, found in source.read_processes().items():
                listed[uuid] = found
                if not isinstance(found, str):
                    listed[uuid] = [
                        replace(each, host=self._name(place, each.host)) for each in found
                    ]
        return listed

    def read_training(self) -> TrainingNow | None:
        """Return the activity of the first source that has any."""
        return next(filter(None, (each.read_training() for each in self._sources)), None)

    def close(self) -> None:
        """Close all sources, side by side: a command may take seconds to end."""
        with ThreadPoolExecutor(len(self._sources)) as threads:
            list(threads.map(lambda each: each.close(), self._sources))

    def _name(self, place: int, host: str | None) -> str | None:
        if host is None:
            return None
        if (place, host) not in self._names:
            taken = Counter(self._names.values())
            names = itertools.chain([host], (f"{host} ({n})" for n in itertools.count(2)))
            self._names[place, host] = next(each for each in names if not taken[each])
        return self._names[place, host]
