"""What the board draws, and may draw."""

from __future__ import annotations

from jupyter_gpuperf.metrics.declaration import Metric

METRICS = (
    Metric(
        name="power_watts",
        family="power",
        overview=True,
        label="Power",
        unit="watts",
        maximum_metric="power_limit_watts",
        help="Draw of the whole board. On recent chips the driver averages it over a second.",
        read=lambda nvml: nvml("nvmlDeviceGetPowerUsage") / 1000,  # NVML answers in mW
        recorded=lambda reading, _static: reading["power_mw"] / 1000,
    ),
    Metric(
        name="power_limit_watts",
        family="power",
        label="Power limit",
        unit="watts",
        kind="limit",
        help="The limit that the driver enforces now: the lowest of all that apply.",
        read=lambda nvml: nvml("nvmlDeviceGetEnforcedPowerLimit") / 1000,  # NVML answers in mW
        recorded=lambda _reading, static: static["power_limit_mw"] / 1000,
    ),
)
