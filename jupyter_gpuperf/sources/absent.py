"""No GPU: says why, and what to do, and still reads the host."""

from __future__ import annotations

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Devices, NoDevices, TrainingNow
from jupyter_gpuperf.sources.host import HostSource
from jupyter_gpuperf.sources.source import DriverProcesses, Readings


class AbsentSource:
    """A source with no devices and a reason."""

    kind = "none"

    def __init__(self, reason: NoDevices, metrics: tuple[Metric, ...]) -> None:
        self._reason = reason
        self._host = HostSource(metrics)

    @classmethod
    def by_setting(cls, metrics: tuple[Metric, ...]) -> AbsentSource:
        """Return the source of ``c.GpuPerf.source = "none"``."""
        reason = NoDevices(
            code="switched_off",
            message="Reading GPUs is switched off by the setting c.GpuPerf.source = 'none'.",
            hint="Set it to 'auto' (or unset JUPYTER_GPUPERF_SOURCE) and restart the server.",
        )
        return cls(reason, metrics)

    def open(self) -> None:
        """Nothing to open."""

    def devices(self) -> Devices:
        """Return the reason."""
        return Devices(devices=[], reason=self._reason)

    def read(self) -> dict[str, Readings]:
        """Return no device."""
        return {}

    def read_host(self) -> Readings:
        """Read the machine."""
        return self._host.read()

    def read_host_cores(self) -> list[float]:
        """Return the share of each core that worked, in percent."""
        return self._host.read_cores()

    def read_processes(self) -> DriverProcesses:
        """Return the processes on each device."""
        return {}

    def read_training(self) -> TrainingNow | None:
        """Notebooks tell of their loops themselves."""
        return None

    def close(self) -> None:
        """Nothing to close."""
