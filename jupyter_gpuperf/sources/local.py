"""A source that reads this machine: the devices of a driver, and the host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import TrainingNow
from jupyter_gpuperf.sources.host import HostReader
from jupyter_gpuperf.sources.protocol import Driver, Sample

YIELD_SECONDS: Final = 0.0002
"""Sleep between the steps of a tick. Python runs one thread at a time, so this lets the server's thread run after one
step (0.3 ms with eight devices) instead of after all of them."""


class LocalSource:
    """Reads a driver's devices and the host once per tick."""

    def __init__(self, driver: Driver, metrics: tuple[Metric, ...]) -> None:
        self._driver = driver
        self._host = HostReader(metrics)
        # Passed through from the driver.
        self.open, self.close = driver.open, driver.close
        self.devices, self.read_processes = driver.devices, driver.read_processes

    @property
    def kind(self) -> str:
        """The driver's kind."""
        return self._driver.kind

    def read(self) -> Sequence[Sample]:
        """Return one sample: the readings of all devices and of the host."""
        devices = self._driver.read()
        time.sleep(YIELD_SECONDS)
        machine, cores_percent = self._host.read(), self._host.read_cores()
        return [Sample(devices=devices, machine=machine, cores_percent=cores_percent)]

    def read_training(self) -> TrainingNow | None:
        """Return ``None``: notebooks report their training loops to the server themselves."""
        return None
