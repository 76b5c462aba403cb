"""Metrics of the device's temperatures."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

_metric = partial(Metric, family="temperature")

NVML_TEMPERATURE_GPU: Final = 0
"""``NVML_TEMPERATURE_GPU`` of ``nvmlTemperatureSensors_t``: the sensor on the chip."""

FIELD_MEMORY_TEMPERATURE: Final = 82
"""Field id ``NVML_FI_DEV_MEMORY_TEMP``."""

NVML_THRESHOLD_SLOWDOWN: Final = 1
"""``NVML_TEMPERATURE_THRESHOLD_SLOWDOWN`` of ``nvmlTemperatureThresholds_t``."""

METRICS = (
    _metric(
        "temperature_celsius",
        "Temperature",
        "Temperature of the chip. Most chips slow down above 85 to 90 °C.",
        lambda nvml: nvml("nvmlDeviceGetTemperature", NVML_TEMPERATURE_GPU),
        overview=True,
        maximum=100.0,
    ),
    _metric(
        "temperature_memory_celsius",
        "Memory temperature",
        "Temperature of the GPU memory, on boards that measure it.",
        # Boards without the sensor return 0.
        lambda nvml: nvml("field_value", FIELD_MEMORY_TEMPERATURE) or None,
        maximum=110.0,
    ),
    _metric(
        "temperature_margin_celsius",
        "Margin to slowdown",
        "Degrees left until the hardware slows the chip down.",
        lambda nvml: nvml("nvmlDeviceGetMarginTemperature"),
        minimum=None,
        cadence="slow",
    ),
    _metric(
        "temperature_slowdown_celsius",
        "Slowdown temperature",
        "Temperature at which the hardware slows the chip down.",
        lambda nvml: nvml("nvmlDeviceGetTemperatureThreshold", NVML_THRESHOLD_SLOWDOWN),
        kind="limit",
    ),
)
