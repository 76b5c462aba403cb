"""Clocks lowered by heat, or by the power supply.

The power limit alone is normal at full load and does not raise an alert.
"""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.power_capped import bit_ratio, clock_lost
from jupyter_gpuperf.rules.rule import Finding, HoldOff, Rule, View, alert
from jupyter_gpuperf.rules.rule_input import Series
from jupyter_gpuperf.rules.threshold import Threshold

HARDWARE: Final = ("clock_lost_thermal_hardware_ratio", 0x40)
DRIVER: Final = ("clock_lost_thermal_software_ratio", 0x20)
POWER_BRAKE: Final = ("clock_lost_power_brake_ratio", 0x80)
"""The metric of the cumulative counter, and the cause's bit among the clock event reasons."""

HELD_RATIO = Threshold(
    0.1,
    reason="Share of time in which heat held the clock back: less is a single hot moment.",
    margin="Every workload of ours 0.",
)
CLOCK_RATIO = Threshold(
    0.05,
    reason="Of the highest clock, where it is known: a bit without lost clock costs nothing.",
    margin="Healthy workloads 0.00.",
)
HARDWARE_RATIO = Threshold(
    0.05,
    reason="The hardware's own brake halves the clock or worse: it is critical at once.",
    margin="Every workload of ours 0.",
)
ALERT_SECONDS: Final = 10.0
"""An alert looks at this much time, and holds off for as long."""


def _check(view: View) -> Finding | None:
    series = view.series
    hardware, driver = _held(series, HARDWARE), _held(series, DRIVER)
    worst, lost = max(hardware, driver), clock_lost(series)
    if worst < HELD_RATIO or (lost is not None and lost < CLOCK_RATIO):
        return None
    temperature = series.mean("temperature_celsius")
    return Finding(
        severity="critical" if hardware >= HARDWARE_RATIO else "warning",
        summary=Message(
            "Heat holds the clock back {worst:.0%} of the time, at {temperature:.0f} °C.",
            worst=worst,
            temperature=temperature,
        )
        if temperature is not None
        else Message("Heat holds the clock back {worst:.0%} of the time.", worst=worst),
        evidence={
            "held_by_driver_ratio": driver,
            "held_by_hardware_ratio": hardware,
            "clock_lost_ratio": lost,
            "temperature_celsius": temperature,
        },
        advice="See to the cooling: dust, fans, room between boards, the temperature of the room. Until then "
        "a lower power limit (sudo nvidia-smi -pl WATTS) is often faster.",
        refuted_by="If the clock stays as low when the device is cool, something else holds it.",
    )


SUMMARIES: Final = {
    "heat_hardware": "{:.0%} of the time is lost: the hardware slows the device down, it is far too hot.",
    "heat_driver": "{:.0%} of the time is lost: the driver slows the device down, it is too hot.",
    "power_brake": "{:.0%} of the time is lost: the power supply slows the device down.",
}
ADVICE: Final = {
    "heat_hardware": Message("Stop the work and see to the cooling."),
    "heat_driver": Message(
        "See to the cooling; a lower power limit (sudo nvidia-smi -pl WATTS) may be faster."
    ),
    "power_brake": Message(
        "The machine's power supply can't feed all its devices at once: see to it."
    ),
}


def _alert(view: View) -> Finding | None:
    series = view.series.last(ALERT_SECONDS)
    causes = (HARDWARE, DRIVER, POWER_BRAKE)
    shares = {name: _held(series, cause) for name, cause in zip(SUMMARIES, causes, strict=True)}
    reason, held = max(shares.items(), key=lambda item: item[1])
    lost = clock_lost(series)
    if held < HELD_RATIO or (lost is not None and lost < CLOCK_RATIO):
        return None
    critical = reason == "power_brake" or shares["heat_hardware"] >= HARDWARE_RATIO
    return Finding(
        severity="critical" if critical else "warning",
        summary=SUMMARIES[reason].format(held),
        advice=ADVICE[reason],
        evidence={"lost_ratio": held, "reason": reason},
    )


def _held(series: Series, cause: tuple[str, int]) -> float:
    # The counter misses nothing; older drivers only give the bit at the moment of each reading.
    metric, bit = cause
    counted = series.mean(metric)
    return counted if counted is not None else bit_ratio(series, bit) or 0.0


RULE = Rule(
    code="thermal-throttled",
    title="Too hot",
    meaning="The GPU is too hot to keep its clock.",
    reads=(HARDWARE[0], DRIVER[0], "clock_event_flags", "temperature_celsius"),
    check=_check,
    alert="throttled",
)
ALERT = alert(
    "throttled",
    _alert,
    reads=(
        *(metric for metric, _ in (HARDWARE, DRIVER, POWER_BRAKE)),
        *("clock_event_flags", "clock_sm_mhz", "clock_sm_max_mhz", "utilization_percent"),
    ),
    holds_off=HoldOff(after_seconds=ALERT_SECONDS, until_seconds=30.0),
)
