"""Use the NVIDIA driver if there is one. If there is none, or it has lost devices, try again regularly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jupyter_gpuperf.schemas import Readings
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.nvml import NvmlDriver
from jupyter_gpuperf.sources.protocol import Driver, Scheme

RETRY_SECONDS: Final = 15.0
"""Time between attempts while no device works, or after devices were attached or removed: the driver may be loaded,
or a device attached, long after the server started."""

RETRY_LOST_SECONDS: Final = 60.0
"""Time between attempts to find a lost device while others work. It is longer, because each attempt leaves all devices
without rates for one tick."""

DEVICE_FOLDERS: Final = Path("/proc/driver/nvidia/gpus")
"""Folder in which the Linux driver creates a subfolder for each device."""


class AutoDriver:
    """Wraps a driver, and reopens it if it has no devices, or if devices were lost or added."""

    def __init__(
        self,
        driver: Driver,
        clock: Callable[[], float] = time.monotonic,
        device_folders: Path = DEVICE_FOLDERS,
    ) -> None:
        self._driver, self._clock, self._device_folders = driver, clock, device_folders
        self._opened_at = 0.0
        self._attached_at_open: frozenset[str] = frozenset()
        # Passed through from the driver.
        self.devices, self.read_processes = driver.devices, driver.read_processes
        self.close = driver.close

    @property
    def kind(self) -> str:
        """The wrapped driver's kind, or ``none`` while it has no devices."""
        return self._driver.kind if self.devices().devices else "none"

    def open(self) -> None:
        """Open the wrapped driver."""
        self._opened_at = self._clock()
        self._attached_at_open = self._attached()
        self._driver.open()

    def read(self) -> dict[str, Readings]:
        """Read the wrapped driver. Reopens it first if it is time to look for devices again."""
        if self._clock() - self._opened_at >= self._retry_seconds():
            self.close()
            self.open()
        return self._driver.read()

    def _retry_seconds(self) -> float:
        lost = [each.state == "device_lost" for each in self.devices().devices]
        if all(lost) or self._attached() != self._attached_at_open:
            return RETRY_SECONDS
        return RETRY_LOST_SECONDS if any(lost) else math.inf

    def _attached(self) -> frozenset[str]:
        try:
            return frozenset(path.name for path in self._device_folders.iterdir())
        except OSError:
            return frozenset()


SCHEME: Final = Scheme(
    name="auto",
    form="auto",
    make=lambda _, metrics: LocalSource(AutoDriver(NvmlDriver(metrics)), metrics),
)
