"""The device's clock rates, and what limits them."""

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
    0x10: "synchronised with another device",
    0x20: "too hot (driver)",
    0x40: "too hot (hardware)",
    0x80: "external power brake",
    0x100: "display clock setting",
}
"""Names of the bits of ``nvmlDeviceGetCurrentClocksEventReasons``."""


def _lost(name: str, label: str, field_id: int, cause: str, cadence: Cadence = "tick") -> Metric:
    return _metric(
        name,
        label,
        f"Share of time in which the clocks were held back by {cause}, from the driver's "
        "cumulative counter: nothing between two ticks is missed.",
        lambda nvml: nvml("field_value", field_id) / 1e9,  # nanoseconds, as measured on an H100
        maximum=1.0,
        per_second=True,
        cadence=cadence,
    )


METRICS = (
    _metric(
        "clock_sm_mhz",
        "SM clock",
        "Clock of the streaming multiprocessors, which compute.",
        lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_SM),
        overview=True,
        maximum_metric="clock_sm_max_mhz",
    ),
    _limit(
        "clock_sm_max_mhz",
        "SM clock, highest",
        "The highest SM clock of this device.",
        lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_SM),
    ),
    _metric(
        "clock_memory_mhz",
        "Memory clock",
        "Clock of the device memory.",
        lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_MEM),
        maximum_metric="clock_memory_max_mhz",
    ),
    _limit(
        "clock_memory_max_mhz",
        "Memory clock, highest",
        "The highest memory clock of this device.",
        lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_MEM),
    ),
    _metric(
        "clock_event_flags",
        "Clocks held back by",
        "Why the clocks are not higher. The power limit's bit alone is normal at full load: "
        "what counts is the clock that is lost.",
        lambda nvml: nvml("nvmlDeviceGetCurrentClocksEventReasons"),
        kind="flags",
        flags=CLOCK_EVENTS,
    ),
    _lost("clock_lost_power_cap_ratio", "Lost to the power limit", 74, "the power limit"),
    _lost(
        "clock_lost_thermal_software_ratio",
        "Lost to heat (driver)",
        269,
        "the driver, because the chip or its memory was too hot",
    ),
    # Each of these two costs 0.7 ms on an H100.
    _lost(
        "clock_lost_thermal_hardware_ratio",
        "Lost to heat (hardware)",
        270,
        "the hardware, because the chip was far too hot",
        "slow",
    ),
    _lost(
        "clock_lost_power_brake_ratio",
        "Lost to the power brake",
        271,
        "a signal of the power supply",
        "slow",
    ),
    _lost(
        "clock_lost_sync_boost_ratio",
        "Lost to a slower device",
        76,
        "the clock of another device in the same group",
        "slow",
    ),
)
