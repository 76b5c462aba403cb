"""How hot the device is."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

NVML_TEMPERATURE_GPU: Final = 0
"""``NVML_TEMPERATURE_GPU`` of ``nvmlTemperatureSensors_t``: the sensor on the chip."""

FIELD_MEMORY_TEMPERATURE: Final = 82
"""``NVML_FI_DEV_MEMORY_TEMP``."""

NVML_THRESHOLD_SLOWDOWN: Final = 1
"""``NVML_TEMPERATURE_THRESHOLD_SLOWDOWN``."""

METRICS = (
    Metric(
        name="temperature_celsius",
        family="temperature",
        overview=True,
        label="Temperature",
        unit="celsius",
        maximum=100.0,
        help="Temperature of the chip. Most chips slow down above 85 to 90 °C.",
        read=lambda nvml: nvml("nvmlDeviceGetTemperature", NVML_TEMPERATURE_GPU),
        recorded=lambda reading, _static: reading["temperature_c"],
    ),
    Metric(
        name="temperature_memory_celsius",
        family="temperature",
        label="Memory temperature",
        unit="celsius",
        maximum=110.0,
        help="Temperature of the device memory, on boards that measure it.",
        # Boards without the sensor answer 0.
        read=lambda nvml: nvml("field_value", FIELD_MEMORY_TEMPERATURE) or None,
        recorded=lambda reading, _static: reading.get("temperature_memory_c"),
    ),
    Metric(
        name="temperature_margin_celsius",
        family="temperature",
        label="Until slowdown",
        unit="celsius",
        minimum=None,
        cadence="slow",
        help="How much hotter the chip may get before the hardware slows it down.",
        read=lambda nvml: nvml("nvmlDeviceGetMarginTemperature"),
        recorded=lambda reading, _static: reading.get("temperature_margin_c"),
    ),
    Metric(
        name="temperature_slowdown_celsius",
        family="temperature",
        label="Slowdown above",
        unit="celsius",
        kind="limit",
        help="Temperature at which the hardware slows the chip down.",
        read=lambda nvml: nvml("nvmlDeviceGetTemperatureThreshold", NVML_THRESHOLD_SLOWDOWN),
        recorded=lambda _reading, static: static.get("temperature_slowdown_c"),
    ),
)
