"""Read GPM (GPU Performance Monitoring), the activity counters of Hopper and newer GPUs.

Each sample is compared with the one before, so the readings cover all of the time, not only short windows. On an H100,
a sample takes 40 µs, and evaluating it takes 2 µs per metric, or 1.2 ms for the graphics engine's metric.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.sources.nvml_errors import NOT_SUPPORTED, DriverRefused, code_of
from jupyter_gpuperf.sources.rates import NoSampleYet

SHORTEST_SECONDS: Final = 0.09
"""Shortest time between two samples. If they are less than 80 ms apart, an H100 often returns only 0 or NaN, without
an error."""

METRICS_GET_VERSION: Final = 1
"""``NVML_GPM_METRICS_GET_VERSION``."""


class GpmSampler:
    """Samples the counters of one device, or of one MIG instance.

    One call to the driver evaluates all metrics that were requested so far.

    Parameters
    ----------
    nvml
        The pynvml module.
    take
        Function that fills a sample; ``None`` for a device without GPM.
    """

    def __init__(
        self, nvml: Any, take: Callable[[Any], object] | None, clock: Callable[[], float]
    ) -> None:
        self._nvml, self._take, self._clock = nvml, take, clock
        self._metric_ids: list[int] = []
        self._before: Any = None
        self._spare: Any = None
        self._taken_at = 0.0
        self._values: dict[int, tuple[float, int]] | None = None

    def value(self, metric_id: int) -> float:
        """Return a metric's value between the last two samples. Takes a new sample if the last is old enough.

        Raises
        ------
        DriverRefused
            The device has no GPM, or the driver returned an error.
        NoSampleYet
            There is no second sample since this metric was first requested.
        """
        self._update()
        if metric_id not in self._metric_ids:
            self._metric_ids.append(metric_id)  # evaluated from the next sample on
        if self._values is None or metric_id not in self._values:
            raise NoSampleYet
        value, code = self._values[metric_id]
        if code:
            raise DriverRefused("a GPM metric", code)
        return value

    def _update(self) -> None:
        if self._take is None:
            raise DriverRefused("GPM", NOT_SUPPORTED)
        now = self._clock()
        if self._before is not None and now - self._taken_at < SHORTEST_SECONDS:
            return  # too early for a new sample
        try:
            if self._spare is None:
                self._spare = self._nvml.nvmlGpmSampleAlloc()
            self._take(self._spare)
            self._before, self._spare, self._taken_at = self._spare, self._before, now
            if self._spare is not None:
                self._values = self._evaluate(self._spare, self._before)
        except (self._nvml.NVMLError, AttributeError) as error:
            raise DriverRefused("GPM", code_of(error) or NOT_SUPPORTED) from error

    def close(self) -> None:
        """Free the samples."""
        for sample in (self._before, self._spare):
            # A lost device refuses this; its samples must not keep the others' from being freed.
            with contextlib.suppress(self._nvml.NVMLError):
                if sample is not None:
                    self._nvml.nvmlGpmSampleFree(sample)
        self._before = self._spare = self._values = None

    def _evaluate(self, before: Any, after: Any) -> dict[int, tuple[float, int]]:
        """Return metric id → value and nvmlReturn_t."""
        request = self._nvml.c_nvmlGpmMetricsGet_t()
        request.version = METRICS_GET_VERSION
        request.numMetrics = len(self._metric_ids)
        request.sample1, request.sample2 = before, after
        for index, metric_id in enumerate(self._metric_ids):
            request.metrics[index].metricId = metric_id
        self._nvml.nvmlGpmMetricsGet(request)
        answers = [request.metrics[index] for index in range(len(self._metric_ids))]
        return {each.metricId: (each.value, each.nvmlReturn) for each in answers}
