"""Clocks that are held back by heat or by the power supply.

The power limit alone is normal at full load, and no alert.
"""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.alerts.declaration import AlertRule, Found, Window

WINDOW_SECONDS: Final = 10.0
LOST_RATIO: Final = 0.1

CAUSES: Final = {
    "clock_lost_thermal_hardware_ratio": ("heat_hardware", 0x40),
    "clock_lost_thermal_software_ratio": ("heat_driver", 0x20),
    "clock_lost_power_brake_ratio": ("power_brake", 0x80),
}
"""Cumulative counter's metric → what the alert calls it, and its bit among the event reasons."""

SUMMARIES: Final = {
    "heat_hardware": "{:.0%} of the time is lost: the hardware slows the device down, it is far too hot.",
    "heat_driver": "{:.0%} of the time is lost: the driver slows the device down, it is too hot.",
    "power_brake": "{:.0%} of the time is lost: the power supply slows the device down.",
}
ADVICE: Final = {
    "heat_hardware": "Stop the work and see to the cooling.",
    "heat_driver": "See to the cooling; a lower power limit (sudo nvidia-smi -pl WATTS) may be faster.",
    "power_brake": "The machine's power supply can't feed all its devices at once: see to it.",
}


def _check(window: Window) -> Found | None:
    recent = window.last(WINDOW_SECONDS)
    shares = {reason: _share(recent, metric, bit) for metric, (reason, bit) in CAUSES.items()}
    reason, lost = max(shares.items(), key=lambda item: item[1])
    if lost < LOST_RATIO:
        return None
    return Found(
        severity="warning" if reason == "heat_driver" else "critical",
        summary=SUMMARIES[reason].format(lost),
        advice=ADVICE[reason],
        evidence={"lost_ratio": lost, "reason": reason},
    )


def _share(window: Window, metric: str, bit: int) -> float:
    counted = window.mean(metric)
    if counted is not None:
        return counted
    # Older drivers have no such counters: then the share of the ticks that had the bit.
    flags = [int(value) & bit for _, value in window.values("clock_event_flags")]
    return sum(map(bool, flags)) / len(flags) if flags else 0.0


RULES: Final = (
    AlertRule(
        code="throttled",
        scope="device",
        needs=(*CAUSES, "clock_event_flags"),
        check=_check,
        after_seconds=WINDOW_SECONDS,
        until_seconds=30.0,
    ),
)
