"""How fast the device's clocks run, and what holds them back."""

from __future__ import annotations

from typing import Final

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
)
