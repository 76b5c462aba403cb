"""Metrics of the device's clock rates, and of the causes that limit them."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Cadence, Metric

_metric = partial(Metric, family="clocks")
_limit = partial(_metric, kind="limit")

NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2
"""Values of ``nvmlClockType_t``."""

CLOCK_EVENTS: Final = {
    0x1: "idle",
    0x2: "clocks set by the user",
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x10: "synchronized with another device",
    0x20: "too hot (driver)",
    0x40: "too hot (hardware)",
    0x80: "external power brake",
    0x100: "display clock setting",
}
"""Bit of ``nvmlDeviceGetCurrentClocksEventReasons`` → its meaning."""


def _lost(name: str, label: str, field_id: int, cause: str, cadence: Cadence = "tick") -> Metric:
    return _metric(
        name,
        label,
        f"Share of time with clocks limited by {cause}; from a driver counter that misses nothing.",
        lambda nvml: nvml("field_value", field_id) / 1e9,  # in nanoseconds, as measured on an H100
        maximum=1.0,
        per_second=True,
        cadence=cadence,
    )


METRICS = (
    _metric(
        "clock_sm_mhz",
        "SM clock",
        "Clock of the streaming multiprocessors (SMs).",
        lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_SM),
        overview=True,
        maximum_metric="clock_sm_max_mhz",
    ),
    _limit(
        "clock_sm_max_mhz",
        "SM clock, maximum",
        "Maximum SM clock.",
        lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_SM),
    ),
    _metric(
        "clock_memory_mhz",
        "Memory clock",
        "Clock of the GPU memory.",
        lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_MEM),
        maximum_metric="clock_memory_max_mhz",
    ),
    _limit(
        "clock_memory_max_mhz",
        "Memory clock, maximum",
        "Maximum memory clock.",
        lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_MEM),
    ),
    _metric(
        "clock_event_flags",
        "Clocks limited by",
        "Why the clocks are not higher. The power limit alone is normal at full load; what counts is how much clock is lost.",
        lambda nvml: nvml("nvmlDeviceGetCurrentClocksEventReasons"),
        kind="flags",
        flags=CLOCK_EVENTS,
    ),
    _lost("clock_lost_power_cap_ratio", "Lost to the power limit", 74, "the power limit"),
    _lost("clock_lost_thermal_software_ratio", "Lost to heat (driver)", 269, "the driver (heat)"),
    # On an H100, reading the next two metrics takes 0.7 ms each.
    _lost(
        "clock_lost_thermal_hardware_ratio", "Lost to heat (hardware)", 270, "overheating", "slow"
    ),
    _lost("clock_lost_power_brake_ratio", "Lost to the power brake", 271, "a power brake", "slow"),
    _lost("clock_lost_sync_boost_ratio", "Lost to a slower device", 76, "a slower device", "slow"),
)
