"""One device of the driver: what it is, and its readings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, MissingReason, Readings
from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.cadence import Cadence
from jupyter_gpuperf.sources.driver_calls import DriverCalls
from jupyter_gpuperf.sources.gpm import GpmSampler
from jupyter_gpuperf.sources.nvml_devices import FoundDevice
from jupyter_gpuperf.sources.rates import Rates
from jupyter_gpuperf.sources.reading import OncePerTick, read_metrics
from jupyter_gpuperf.sources.xid import XidWatch

logger = logging.getLogger(__name__)


class NvmlDevice:
    """Reads one device; used from one thread at a time.

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
        self.found = found
        self.metrics = metrics
        self.handle = found.handle
        self._calls = DriverCalls(
            nvml,
            found.handle,
            found.uuid,
            new_gpm=lambda: GpmSampler(
                nvml, found.take_gpm_sample, supported=found.has_gpm, clock=clock
            ),
            xid=xid,
            unified_memory=found.unified_memory,
            clock=clock,
        )
        self._cadence = Cadence(metrics, clock)
        self._rates = Rates(clock)
        self._readings: Readings = {}
        self._logged: set[str] = set()

    def read(self) -> Readings:
        """Read every metric that is due; the others are repeated."""
        self._calls.begin_tick()
        calls = OncePerTick(self._calls)

        def read_due(due: Sequence[Metric]) -> Readings:
            return read_metrics(due, lambda each: each.read(calls), self._reason_of, self._rates)

        readings = self._cadence.read(read_due)
        if "device_lost" in readings.values():
            # What was read before it fell off the bus says nothing any more.
            self._cadence.reset()
            return dict.fromkeys(readings, "device_lost")
        self._readings = readings
        return readings

    def info(self, driver_version: str) -> DeviceInfo:
        """Return the description; the limits are those that :meth:`read` gave last."""
        found, readings = self.found, self._readings
        return DeviceInfo(
            uuid=found.uuid,
            index=found.index,
            name=found.name,
            state="ok",
            pci_bus_id=found.pci_bus_id,
            compute_capability=found.compute_capability,
            parent_uuid=found.parent_uuid,
            unified_memory=found.unified_memory,
            driver_version=driver_version,
            memory_total_bytes=readings.get("memory_total_bytes", "not_supported"),
            power_limit_watts=readings.get("power_limit_watts", "not_supported"),
            clock_sm_max_mhz=readings.get("clock_sm_max_mhz", "not_supported"),
            clock_memory_max_mhz=readings.get("clock_memory_max_mhz", "not_supported"),
            replayed=False,
        )

    def close(self) -> None:
        """Give back what the driver lent."""
        self._calls.close()

    def _reason_of(self, error: Exception) -> MissingReason:
        reason = nvml_errors.missing_reason(error)
        # A state is logged when it is first seen, not at every tick.
        if reason != "not_supported" and str(error) not in self._logged:
            self._logged.add(str(error))
            logger.warning("%s: a reading is missing (%s): %s", self.found.uuid, reason, error)
        return reason
