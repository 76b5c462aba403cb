"""A source that is told: readings of several machines come in from outside, by their own clocks."""

from __future__ import annotations

import threading

from jupyter_gpuperf.schemas import DeviceInfo, Devices, NoDevices
from jupyter_gpuperf.sources import Sample, Scheme

NOBODY_YET = NoDevices(code="starting", message="No machine has told yet.", hint="Wait.")


def device_in(host: str, uuid: str) -> DeviceInfo:
    return DeviceInfo(
        uuid=uuid,
        index=0,
        name="NVIDIA H100",
        state="ok",
        driver_version=None,
        pci_bus_id=None,
        compute_capability="9.0",
        parent_uuid=None,
        unified_memory=False,
        memory_total_bytes=80e9,
        power_limit_watts=700.0,
        clock_sm_max_mhz=1980.0,
        clock_memory_max_mhz=2619.0,
        replayed=False,
        host=host,
    )


class PushSource:
    """Keeps what it is told, from any thread, until the sampler asks."""

    kind = "push"
    made: list[PushSource] = []  # noqa: RUF012

    def __init__(self, argument: str) -> None:
        self.argument = argument
        self._lock = threading.Lock()
        self._waiting: list[Sample] = []
        self._uuids: dict[str, tuple[str, ...]] = {}
        PushSource.made.append(self)

    def tell(self, host: str, seconds: float, cpu_percent: float, **watts: float) -> None:
        """Say what one machine read: its CPU, and the power of each of its devices."""
        with self._lock:
            self._uuids[host] = tuple(watts)
            self._waiting.append(
                Sample(
                    host=host,
                    time_seconds=seconds,
                    devices={uuid: {"power_watts": value} for uuid, value in watts.items()},
                    machine={"host_cpu_percent": cpu_percent},
                )
            )

    def hang_up(self, host: str) -> None:
        with self._lock:
            del self._uuids[host]

    def open(self) -> None: ...

    def close(self) -> None: ...

    def devices(self) -> Devices:
        infos = [device_in(host, uuid) for host, uuids in self._uuids.items() for uuid in uuids]
        return Devices(devices=infos, reason=None if infos else NOBODY_YET)

    def read(self) -> list[Sample]:
        with self._lock:
            told, self._waiting = self._waiting, []
        return told

    def read_processes(self) -> dict:
        return {uuid: "not_supported" for uuids in self._uuids.values() for uuid in uuids}

    def read_training(self) -> None:
        return None


SCHEME = Scheme(
    name="push",
    form="push:NAME",
    make=lambda argument, _metrics: PushSource(argument),
    takes_argument=True,
)


def broken(_argument: str, _metrics: object) -> PushSource:
    raise RuntimeError("this package is broken")


BROKEN = Scheme(name="broken", form="broken", make=broken)
