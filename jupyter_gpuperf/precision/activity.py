"""Measure tensor-core activity with the GPU's own counter; kernel names alone can't show it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources import Source, source_from

METRIC: Final = "tensor_active_percent"
SETTLE_SECONDS: Final = 0.15
"""Run the cell this long before the first sample: the counter takes a new one only after at least 0.09 s."""
COUNTED_SECONDS: Final = 0.4


class TensorActivity:
    """The tensor-core counter of one device (GPM; Hopper and later).

    Parameters
    ----------
    uuid
        The device's UUID, as the driver reports it.
    source
        Source that reads the driver; NVML by default.
    """

    def __init__(self, uuid: str, source: Source | None = None) -> None:
        self._uuid = uuid
        metrics = tuple(each for each in METRICS if each.name == METRIC)
        self._source = source or source_from("nvml", metrics)
        self._source.open()

    def ratio(
        self, run: Callable[[], object], clock: Callable[[], float] = time.perf_counter
    ) -> float | None:
        """Return the share of time (0 to 1) in which the tensor cores are active while ``run`` is repeated.

        ``run`` must wait for the device. ``None`` when the device has no such counter or the driver reports no value.
        """
        if self._uuid not in {each.uuid for each in self._source.devices().devices}:
            return None
        _repeat(run, SETTLE_SECONDS, clock)
        self._source.read()
        _repeat(run, COUNTED_SECONDS, clock)
        (sample,) = self._source.read()
        value = sample.devices.get(self._uuid, {}).get(METRIC)
        return value / 100 if isinstance(value, float) else None

    def close(self) -> None:
        """Close the connection to the driver."""
        self._source.close()


def _repeat(run: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> None:
    ends_at = clock() + seconds
    run()
    while clock() < ends_at:
        run()
