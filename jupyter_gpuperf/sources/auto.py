"""The driver where there is one; where there isn't, or it lost devices, look again now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.schemas import Devices, TrainingNow
from jupyter_gpuperf.sources.nvml import NvmlSource
from jupyter_gpuperf.sources.source import DriverProcesses, Readings

RETRY_SECONDS: Final = 15.0
"""A driver may be loaded, or a device attached, after the server started."""

RETRY_LOST_SECONDS: Final = 60.0
"""While other devices work, a lost one is looked for more rarely: opening again costs all devices
one tick's rates."""


class AutoSource:
    """Wraps a source, and opens it again when it has no devices, lost some, or others came."""

    def __init__(self, source: NvmlSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._opened_at = 0.0

    @property
    def kind(self) -> str:
        """The wrapped source's kind while it has devices, else ``none``."""
        return self._source.kind if self._source.devices().devices else "none"

    def open(self) -> None:
        """Open the wrapped source."""
        self._opened_at = self._clock()
        self._source.open()

    def devices(self) -> Devices:
        """Return the wrapped source's devices."""
        return self._source.devices()

    def read(self) -> dict[str, Readings]:
        """Read the wrapped source, after opening it again where that may help."""
        if self._clock() - self._opened_at >= self._patience_seconds():
            self._source.close()
            self.open()
        return self._source.read()

    def read_host(self) -> Readings:
        """Read the machine."""
        return self._source.read_host()

    def read_host_cores(self) -> list[float]:
        """Return the share of each core that worked, in percent."""
        return self._source.read_host_cores()

    def read_processes(self) -> DriverProcesses:
        """Return the processes on each device."""
        return self._source.read_processes()

    def read_training(self) -> TrainingNow | None:
        """Notebooks tell of their loops themselves."""
        return None

    def close(self) -> None:
        """Close the wrapped source."""
        self._source.close()

    def _patience_seconds(self) -> float:
        lost = [each.state == "device_lost" for each in self._source.devices().devices]
        if all(lost) or self._source.changed():
            return RETRY_SECONDS
        return RETRY_LOST_SECONDS if any(lost) else math.inf
