"""How fast the device's clocks run, and what holds them back."""

from __future__ import annotations

from typing import Final, Literal

from jupyter_gpuperf.metrics.declaration import Metric

NVML_CLOCK_SM: Final = 1
"""``NVML_CLOCK_SM`` of ``nvmlClockType_t``."""

NVML_CLOCK_MEM: Final = 2
"""``NVML_CLOCK_MEM`` of ``nvmlClockType_t``."""

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
"""Bits of ``nvmlDeviceGetCurrentClocksEventReasons``, in words."""


def _lost(
    name: str, label: str, field_id: int, cause: str, cadence: Literal["tick", "slow"] = "tick"
) -> Metric:
    return Metric(
        name=name,
        family="clocks",
        label=label,
        unit="ratio",
        maximum=1.0,
        per_second=True,
        cadence=cadence,
        help=f"Share of time in which the clocks were held back by {cause}, from the driver's "
        "cumulative counter: nothing between two ticks is missed.",
        read=lambda nvml: nvml("field_value", field_id) / 1e9,  # nanoseconds, measured on an H100
        recorded=lambda reading, _static: reading.get(name),
    )


METRICS = (
    Metric(
        name="clock_sm_mhz",
        family="clocks",
        overview=True,
        label="SM clock",
        unit="mhz",
        maximum_metric="clock_sm_max_mhz",
        help="Clock of the streaming multiprocessors, which compute.",
        read=lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_SM),
        recorded=lambda reading, _static: reading["clock_sm_mhz"],
    ),
    Metric(
        name="clock_sm_max_mhz",
        family="clocks",
        label="SM clock, highest",
        unit="mhz",
        kind="limit",
        help="The highest SM clock of this device.",
        read=lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_SM),
        recorded=lambda _reading, static: static["clock_sm_max_mhz"],
    ),
    Metric(
        name="clock_memory_mhz",
        family="clocks",
        label="Memory clock",
        unit="mhz",
        maximum_metric="clock_memory_max_mhz",
        help="Clock of the device memory.",
        read=lambda nvml: nvml("nvmlDeviceGetClockInfo", NVML_CLOCK_MEM),
        recorded=lambda reading, _static: reading["clock_mem_mhz"],
    ),
    Metric(
        name="clock_memory_max_mhz",
        family="clocks",
        label="Memory clock, highest",
        unit="mhz",
        kind="limit",
        help="The highest memory clock of this device.",
        read=lambda nvml: nvml("nvmlDeviceGetMaxClockInfo", NVML_CLOCK_MEM),
        recorded=lambda _reading, static: static["clock_mem_max_mhz"],
    ),
    Metric(
        name="clock_event_flags",
        family="clocks",
        label="Clocks held back by",
        unit="flags",
        kind="flags",
        flags=CLOCK_EVENTS,
        help="Why the clocks are not higher. The power limit's bit alone is normal at full load: "
        "what counts is the clock that is lost.",
        read=lambda nvml: nvml("nvmlDeviceGetCurrentClocksEventReasons"),
        recorded=lambda reading, _static: reading["event_reasons"],
    ),
    _lost("clock_lost_power_cap_ratio", "Lost to the power limit", 74, "the power limit"),
    _lost(
        "clock_lost_thermal_software_ratio",
        "Lost to heat (driver)",
        269,
        "the driver, because the chip or its memory was too hot",
    ),
    # These two cost 0.7 ms each on an H100.
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
