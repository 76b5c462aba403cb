"""What metrics may call for one device: the driver's functions, and what several give together."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.gpm import GpmSampler
from jupyter_gpuperf.sources.rates import NotYet, Rates
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
    handle
        The driver's handle of the device.
    unified_memory
        Whether the driver has no memory of its own to tell: then it is the machine's.
    """

    def __init__(
        self,
        nvml: Any,
        handle: Any,
        uuid: str,
        *,
        new_gpm: Callable[[], GpmSampler],
        xid: XidWatch | None,
        unified_memory: bool,
        clock: Callable[[], float],
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self._clock = clock
        self._rates = Rates(clock)
        self._counted_at: dict[int, float] = {}
        # A sampler for each cadence, so that the slow ones too see all time between their readings.
        self._gpm, self._gpm_slow = new_gpm(), new_gpm()
        self._ticked: set[GpmSampler] = set()
        self._own: dict[str, Callable[..., Any]] = {
            "field_value": self._field_value,
            "gpm": lambda metric_id: self._gpm_value(self._gpm, metric_id),
            "gpm_slow": lambda metric_id: self._gpm_value(self._gpm_slow, metric_id),
            "pcie_counter_rate": self._pcie_counter_rate,
            "xid_count": lambda: xid.count(uuid) if xid else None,
            "xid_last_code": lambda: xid.last_code(uuid) if xid else None,
        }
        if unified_memory:
            self._own["nvmlDeviceGetMemoryInfo"] = lambda *_: _memory_of_the_machine()

    def begin_tick(self) -> None:
        """Forget what holds for one tick only."""
        self._ticked.clear()

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

    def _gpm_value(self, gpm: GpmSampler, metric_id: int) -> float | None:
        if gpm not in self._ticked:
            gpm.tick()
            self._ticked.add(gpm)
        return gpm.value(metric_id)

    def _pcie_counter_rate(self, field_id: int) -> float | None:
        generation = self._nvml.nvmlDeviceGetMaxPcieLinkGeneration(self._handle)
        lanes = self._nvml.nvmlDeviceGetMaxPcieLinkWidth(self._handle)
        most_per_second = LANE_BYTES_PER_SECOND.get(generation, 16e9) * lanes
        counted = self._field_value(field_id)
        before, now = self._counted_at.get(field_id), self._clock()
        self._counted_at[field_id] = now
        rate = self._rates.rate(field_id, counted, wraps_at=float(1 << COUNTER_BITS))
        if before is None:
            raise NotYet
        # Where it may have wrapped more than once in between, the rate is unknown.
        return rate if (now - before) * most_per_second < 1 << COUNTER_BITS else None


def _memory_of_the_machine() -> SimpleNamespace:
    import psutil

    memory = psutil.virtual_memory()
    used = memory.total - memory.available
    return SimpleNamespace(total=memory.total, used=used, free=memory.available, reserved=None)
