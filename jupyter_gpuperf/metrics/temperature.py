"""How hot the device is."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

NVML_TEMPERATURE_GPU: Final = 0
"""``NVML_TEMPERATURE_GPU`` of ``nvmlTemperatureSensors_t``: the sensor on the chip."""

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
)
