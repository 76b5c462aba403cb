"""A source without GPUs: it reports why there are none, and still reads the host."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.schemas import Devices, ListedProcesses, NoDevices, Readings
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.protocol import Scheme

DISABLED_REASON: Final = NoDevices(
    code="switched_off",
    message="GPU monitoring is disabled by c.GpuPerf.source = 'none'.",
    hint="Set it to 'auto' (or unset JUPYTER_GPUPERF_SOURCE) and restart the server.",
)


class AbsentDriver:
    """Takes the place of a driver: has no devices, and reports why."""

    kind = "none"

    def __init__(self, reason: NoDevices) -> None:
        self._devices = Devices(devices=[], reason=reason)

    def open(self) -> None:
        """Do nothing: there is nothing to open."""

    def devices(self) -> Devices:
        """Return no devices, and the reason."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Return no readings: there are no devices."""
        return {}

    def read_processes(self) -> ListedProcesses:
        """Return no processes: there are no devices."""
        return {}

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


SCHEME: Final = Scheme(
    name="none",
    form="none",
    make=lambda _, metrics: LocalSource(AbsentDriver(DISABLED_REASON), metrics),
)
