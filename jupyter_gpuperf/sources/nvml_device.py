"""One device of the driver: its description, its readings, and the functions that its metrics may call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from msgspec.structs import replace

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, ListedProcess, MissingReason, Readings
from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.device_thread import DeviceThread
from jupyter_gpuperf.sources.gpm import GpmSampler
from jupyter_gpuperf.sources.metric_reader import MetricReader
from jupyter_gpuperf.sources.nvml_devices import FoundDevice
from jupyter_gpuperf.sources.nvml_processes import processes_of
from jupyter_gpuperf.sources.rates import Rates
from jupyter_gpuperf.sources.xid import XidWatch
from jupyter_gpuperf.units import PCIE_LANE_BYTES_PER_SECOND

logger = logging.getLogger(__name__)

LIMIT_METRICS: Final = (
    "memory_total_bytes",
    "power_limit_watts",
    "clock_sm_max_mhz",
    "clock_memory_max_mhz",
)
"""Metrics whose readings are part of a device's description."""

COUNTER_BITS: Final = 32
"""Width of the driver's PCIe byte counters, measured on an H100."""

VALUE_FIELDS: Final = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal"}
"""``nvmlValueType_t`` → the member of the union that holds the value."""


class NvmlDevice:
    """Reads one device, or one MIG instance, in its own thread.

    Its metrics may call the driver's functions, and the functions defined here, which combine several of those.

    Parameters
    ----------
    nvml
        The pynvml module.
    xid
        Counts the XID errors of all devices.
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
        self._nvml, self._info, self._handle = nvml, found.info, found.handle
        self._rates = Rates(clock)
        # Two samplers: each slow reading must cover all of the time since the previous slow reading.
        self._gpm = GpmSampler(nvml, found.take_gpm_sample, clock)
        self._gpm_slow = GpmSampler(nvml, found.take_gpm_sample, clock)
        uuid = found.info.uuid
        self._functions: dict[str, Callable[..., Any]] = {
            "field_value": self._field_value,
            "gpm": self._gpm.value,
            "gpm_slow": self._gpm_slow.value,
            "nvmlDeviceGetMemoryInfo": self._memory_info,
            "pcie_counter_rate": self._pcie_counter_rate,
            "xid_count": lambda: xid.count(uuid),
            "xid_last_code": lambda: xid.last_code(uuid),
        }
        if found.info.unified_memory:  # the driver has no memory figures for it
            self._functions["nvmlDeviceGetMemoryInfo"] = lambda *_: _host_memory()
        self._reader = MetricReader(metrics, self._call, self._reason_of, clock)
        self._readings: Readings = {}
        self._logged: set[str] = set()

    def read(self) -> Readings:
        """Read every metric that is due, and repeat the readings of the others."""
        readings = self._reader.read()
        if "device_lost" in readings.values():
            # The device fell off the bus: do not repeat older readings.
            self._reader.reset()
            return dict.fromkeys(readings, "device_lost")
        self._readings = readings
        return readings

    def info(self) -> DeviceInfo:
        """Return the device's description, with the limits from the last :meth:`read`, if there was one."""
        known = self._readings
        return replace(self._info, **{name: known[name] for name in LIMIT_METRICS if name in known})

    def processes(self) -> list[ListedProcess]:
        """Return the processes that use this device."""
        return processes_of(self._nvml, self._handle)

    def close(self) -> None:
        """Free the driver's GPM samples."""
        self._gpm.close()
        self._gpm_slow.close()

    def _call(self, function: str, *arguments: int) -> Any:
        if function in self._functions:
            return self._functions[function](*arguments)
        return getattr(self._nvml, function)(self._handle, *arguments)

    def _memory_info(self, version: int) -> Any:
        try:
            return self._nvml.nvmlDeviceGetMemoryInfo(self._handle, version)
        except Exception as error:  # pynvml raises several unrelated types for old drivers
            if not nvml_errors.is_too_old(error):
                raise
            return self._nvml.nvmlDeviceGetMemoryInfo(self._handle)  # before driver 510

    def _field_value(self, field_id: int) -> float:
        (answer,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [field_id])
        if answer.nvmlReturn != 0:
            raise nvml_errors.DriverRefused("a field value", answer.nvmlReturn)
        return float(getattr(answer.value, VALUE_FIELDS[answer.valueType]))

    def _pcie_counter_rate(self, field_id: int) -> float | None:
        generation = self._nvml.nvmlDeviceGetMaxPcieLinkGeneration(self._handle)
        lanes = self._nvml.nvmlDeviceGetMaxPcieLinkWidth(self._handle)
        return self._rates.rate(
            field_id,
            self._field_value(field_id),
            wraps_at=float(1 << COUNTER_BITS),
            most_per_second=PCIE_LANE_BYTES_PER_SECOND.get(generation, 16e9) * lanes,
        )

    def _reason_of(self, error: Exception) -> MissingReason:
        reason = nvml_errors.missing_reason(error)
        text = nvml_errors.text_of(error)
        # Log each error only once, not at every tick.
        if reason != "not_supported" and text not in self._logged:
            self._logged.add(text)
            logger.warning("%s: a reading is missing (%s): %s", self._info.uuid, reason, text)
        return reason


def _host_memory() -> SimpleNamespace:
    import psutil

    memory = psutil.virtual_memory()
    used = memory.total - memory.available
    return SimpleNamespace(total=memory.total, used=used, free=memory.available, reserved=None)
