"""One device of the driver: what it is, and its readings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, ListedProcess, MissingReason, Readings
from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.device_thread import DeviceThread
from jupyter_gpuperf.sources.driver_calls import DriverCalls
from jupyter_gpuperf.sources.nvml_devices import FoundDevice
from jupyter_gpuperf.sources.nvml_processes import processes_of
from jupyter_gpuperf.sources.reading import MetricReader
from jupyter_gpuperf.sources.xid import XidWatch

logger = logging.getLogger(__name__)

LIMITS: Final = (
    "memory_total_bytes",
    "power_limit_watts",
    "clock_sm_max_mhz",
    "clock_memory_max_mhz",
)
"""Readings that describe a device."""


class NvmlDevice:
    """Reads one device, in a thread of its own.

    Parameters
    ----------
    nvml
        The pynvml module.
    xid
        Where critical errors are counted.
    """

    def __init__(
        self,
        nvml: Any,
        found: FoundDevice,
        metrics: tuple[Metric, ...],
        *,
        xid: XidWatch,
        clock: Callable[[], float],
    ) -> None:
        self.thread = DeviceThread(f"nvml-{found.info.index}", clock)
        self._nvml, self._found = nvml, found
        calls = DriverCalls(nvml, found, xid=xid, clock=clock)
        self.close = calls.close
        self._reader = MetricReader(metrics, calls, self._reason_of, clock)
        self._readings: Readings = {}
        self._logged: set[str] = set()

    def read(self) -> Readings:
        """Read every metric that is due; the others are repeated."""
        readings = self._reader.read()
        if "device_lost" in readings.values():
            # What was read before it fell off the bus says nothing any more.
            self._reader.reset()
            return dict.fromkeys(readings, "device_lost")
        self._readings = readings
        return readings

    def info(self) -> DeviceInfo:
        """Return the description; the limits are those that :meth:`read` gave last."""
        limits = {name: self._readings.get(name, "not_supported") for name in LIMITS}
        return replace(self._found.info, **limits)

    def processes(self) -> list[ListedProcess]:
        """Return the processes that hold this device."""
        return processes_of(self._nvml, self._found.handle)

    def _reason_of(self, error: Exception) -> MissingReason:
        reason = nvml_errors.missing_reason(error)
        # A state is logged when it is first seen, not at every tick.
        if reason != "not_supported" and str(error) not in self._logged:
            self._logged.add(str(error))
            logger.warning(
                "%s: a reading is missing (%s): %s", self._found.info.uuid, reason, error
            )
        return reason
