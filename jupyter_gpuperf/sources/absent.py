"""No GPU: return the reason and a hint. The host is still read."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.schemas import Devices, ListedProcesses, NoDevices, Readings
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.protocol import Scheme

SWITCHED_OFF: Final = NoDevices(
    code="switched_off",
    message="GPU monitoring is disabled by c.GpuPerf.source = 'none'.",
    hint="Set it to 'auto' (or unset JUPYTER_GPUPERF_SOURCE) and restart the server.",
)


class AbsentDriver:
    """No driver: returns the reason and a hint."""

    kind = "none"

    def __init__(self, reason: NoDevices) -> None:
        self._devices = Devices(devices=[], reason=reason)

    def open(self) -> None:
        """Do nothing: there is nothing to open."""

    def devices(self) -> Devices:
        """Return the reason, without devices."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Return no device."""
        return {}

    def read_processes(self) -> ListedProcesses:
        """Return no device."""
        return {}

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


SCHEME: Final = Scheme(
    name="none",
    form="none",
    make=lambda _, metrics: LocalSource(AbsentDriver(SWITCHED_OFF), metrics),
)
