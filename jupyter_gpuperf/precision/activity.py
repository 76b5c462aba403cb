"""How much of the time the tensor cores were at work, by the GPU's own counter: what no kernel's name can tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources import Source, source_from

METRIC: Final = "tensor_active_percent"
SETTLE_SECONDS: Final = 0.15
"""The counter's samples are at least 0.09 s apart: the first one must be of the cell at work."""
COUNTED_SECONDS: Final = 0.4


class TensorActivity:
    """One device's counter; Hopper and newer chips have it (GPM).

    Parameters
    ----------
    uuid
        The device's, as the driver writes it.
    source
        Reads the driver.
    """

    def __init__(self, uuid: str, source: Source | None = None) -> None:
        self._uuid = uuid
        self._source = source or source_from(
            "nvml", tuple(each for each in METRICS if each.name == METRIC)
        )
        self._source.open()

    def ratio(
        self, run: Callable[[], object], clock: Callable[[], float] = time.perf_counter
    ) -> float | None:
        """Return the share of time (0 to 1) while ``run``, which waits for the device, runs again and again.

        ``None`` where the device has no such counter, or the driver does not tell.
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
        """Let go of the driver."""
        self._source.close()


def _repeat(run: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> None:
    ends_at = clock() + seconds
    run()
    while clock() < ends_at:
        run()
