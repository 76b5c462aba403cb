"""What the board draws, and may draw."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

FIELD_POWER_INSTANT: Final = 186
"""``NVML_FI_DEV_POWER_INSTANT``."""

METRICS = (
    Metric(
        name="power_watts",
        family="power",
        overview=True,
        label="Power",
        unit="watts",
        maximum_metric="power_limit_watts",
        help="Draw of the whole board, as nvidia-smi shows it: on recent chips the mean of a second.",
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
    Metric(
        name="power_instant_watts",
        family="power",
        label="Power now",
        unit="watts",
        maximum_metric="power_limit_watts",
        help="Draw of the whole board at this moment, not averaged.",
        read=lambda nvml: nvml("field_value", FIELD_POWER_INSTANT) / 1000,  # mW
        recorded=lambda reading, _static: reading.get("power_instant_mw"),
    ),
    Metric(
        name="energy_joules",
        family="power",
        label="Energy",
        unit="joules",
        kind="counter",
        cadence="slow",
        help="Energy drawn since the driver was loaded.",
        read=lambda nvml: nvml("nvmlDeviceGetTotalEnergyConsumption") / 1000,  # mJ
        recorded=lambda reading, _static: reading.get("energy_joules"),
    ),
)
