"""What metrics may call for one device: the driver's functions, and what several give together."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.gpm import GpmSampler
from jupyter_gpuperf.sources.nvml_devices import FoundDevice
from jupyter_gpuperf.sources.rates import Rates
from jupyter_gpuperf.sources.xid import XidWatch

COUNTER_BITS: Final = 32
"""The driver's PCIe byte counters, measured on an H100."""

LANE_BYTES_PER_SECOND: Final = {1: 250e6, 2: 500e6, 3: 985e6, 4: 1969e6, 5: 3938e6, 6: 7563e6}
"""The most that one lane of each PCIe generation carries in one direction."""

VALUE_FIELDS: Final = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal"}
"""``nvmlValueType_t`` → the member of the union that holds the value."""


class DriverCalls:
    """The calls of one device, or of one MIG instance.

    Parameters
    ----------
    nvml
        The pynvml module.
    xid
        Where critical errors are counted.
    """

    def __init__(
        self, nvml: Any, found: FoundDevice, *, xid: XidWatch, clock: Callable[[], float]
    ) -> None:
        self._nvml = nvml
        self._handle = found.handle
        self._rates = Rates(clock)
        # A sampler for each cadence, so that the slow ones too see all time between their readings.
        self._gpm, self._gpm_slow = (
            GpmSampler(nvml, found.take_gpm_sample, clock) for _ in range(2)
        )
        uuid = found.info.uuid
        self._own: dict[str, Callable[..., Any]] = {
            "field_value": self._field_value,
            "gpm": self._gpm.value,
            "gpm_slow": self._gpm_slow.value,
            "pcie_counter_rate": self._pcie_counter_rate,
            "xid_count": lambda: xid.count(uuid),
            "xid_last_code": lambda: xid.last_code(uuid),
        }
        if found.info.unified_memory:  # the driver has none to tell
            self._own["nvmlDeviceGetMemoryInfo"] = lambda *_: _memory_of_the_machine()

    def __call__(self, function: str, *arguments: int) -> Any:
        """Call ``function`` for this device."""
        if function in self._own:
            return self._own[function](*arguments)
        return getattr(self._nvml, function)(self._handle, *arguments)

    def close(self) -> None:
        """Give back what the driver lent."""
        self._gpm.close()
        self._gpm_slow.close()

    def _field_value(self, field_id: int) -> float:
        (answer,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [field_id])
        if answer.nvmlReturn != 0:
            raise nvml_errors.Refused("a field value", answer.nvmlReturn)
        return float(getattr(answer.value, VALUE_FIELDS[answer.valueType]))

    def _pcie_counter_rate(self, field_id: int) -> float | None:
        generation = self._nvml.nvmlDeviceGetMaxPcieLinkGeneration(self._handle)
        lanes = self._nvml.nvmlDeviceGetMaxPcieLinkWidth(self._handle)
        return self._rates.rate(
            field_id,
            self._field_value(field_id),
            wraps_at=float(1 << COUNTER_BITS),
            most_per_second=LANE_BYTES_PER_SECOND.get(generation, 16e9) * lanes,
        )


def _memory_of_the_machine() -> SimpleNamespace:
    import psutil

    memory = psutil.virtual_memory()
    used = memory.total - memory.available
    return SimpleNamespace(total=memory.total, used=used, free=memory.available, reserved=None)
