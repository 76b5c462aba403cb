"""Metrics of the board's power and energy, and its power limit."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

_metric = partial(Metric, family="power")

FIELD_POWER_INSTANT: Final = 186
"""Field id ``NVML_FI_DEV_POWER_INSTANT``."""

METRICS = (
    _metric(
        "power_watts",
        "Power",
        "Power of the whole board, as in nvidia-smi; on recent chips averaged over a second.",
        lambda nvml: nvml("nvmlDeviceGetPowerUsage") / 1000,  # NVML returns mW
        overview=True,
        maximum_metric="power_limit_watts",
    ),
    _metric(
        "power_limit_watts",
        "Power limit",
        "The limit that the driver enforces: the lowest of all that apply.",
        lambda nvml: nvml("nvmlDeviceGetEnforcedPowerLimit") / 1000,  # NVML returns mW
        kind="limit",
    ),
    _metric(
        "power_instant_watts",
        "Power now",
        "Current power of the whole board, not averaged.",
        lambda nvml: nvml("field_value", FIELD_POWER_INSTANT) / 1000,  # NVML returns mW
        maximum_metric="power_limit_watts",
    ),
    _metric(
        "energy_joules",
        "Energy",
        "Energy used since the driver was loaded.",
        lambda nvml: nvml("nvmlDeviceGetTotalEnergyConsumption") / 1000,  # NVML returns mJ
        kind="counter",
        cadence="slow",
    ),
)
