"""How busy the device is."""

from __future__ import annotations

from jupyter_gpuperf.metrics.declaration import Metric

METRICS = (
    Metric(
        name="utilization_percent",
        family="activity",
        overview=True,
        label="Busy",
        unit="percent",
        maximum=100.0,
        help="Share of the driver's last sample period (1/6 s to 1 s) in which at least one kernel "
        "ran. Says nothing about how much of the chip that kernel filled.",
        read=lambda nvml: nvml("nvmlDeviceGetUtilizationRates").gpu,
        recorded=lambda reading, _static: reading["utilization_gpu"],
    ),
    Metric(
        name="memory_controller_percent",
        family="activity",
        label="Memory controller",
        unit="percent",
        maximum=100.0,
        help="Share of the driver's last sample period in which device memory was read or written. "
        "Not the share of memory in use.",
        read=lambda nvml: nvml("nvmlDeviceGetUtilizationRates").memory,
        recorded=lambda reading, _static: reading["utilization_memory"],
    ),
)
