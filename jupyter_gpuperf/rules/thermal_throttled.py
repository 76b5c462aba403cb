"""Detect that heat or the power supply lowers the clocks.

Reaching the power limit is normal at full load and does not raise an alert.
"""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.power_capped import bit_ratio, clock_lost
from jupyter_gpuperf.rules.rule import Finding, HoldOff, Rule, View, alert
from jupyter_gpuperf.rules.rule_input import ReadingSeries
from jupyter_gpuperf.rules.threshold import Threshold

CAUSES: Final = {
    "heat_hardware": ("clock_lost_thermal_hardware_ratio", 0x40),
    "heat_driver": ("clock_lost_thermal_software_ratio", 0x20),
    "power_brake": ("clock_lost_power_brake_ratio", 0x80),
}
"""Cause → the metric derived from its cumulative counter, and its bit in the clock event reasons."""

HELD_RATIO = Threshold(
    0.1, reason="Share of throttled time; less is a short peak.", margin="All our workloads 0."
)
CLOCK_RATIO = Threshold(
    0.05, reason="Throttling without a lower clock costs nothing.", margin="Healthy workloads 0."
)
HARDWARE_RATIO = Threshold(
    0.05, reason="Hardware slowdown at least halves the clock.", margin="All our workloads 0."
)
COUNTERS: Final = tuple(metric for metric, _ in CAUSES.values())

ALERT_SECONDS: Final = 10.0
"""How much time an alert examines, and how long the problem must persist before it is reported."""


def _check(view: View) -> Finding | None:
    series = view.series
    hardware, driver = (_held(series, CAUSES[name]) for name in ("heat_hardware", "heat_driver"))
    worst, lost = max(hardware, driver), clock_lost(series)
    if worst < HELD_RATIO or (lost is not None and lost < CLOCK_RATIO):
        return None
    temperature = series.mean("temperature_celsius")
    return Finding(
        severity="critical" if hardware >= HARDWARE_RATIO else "warning",
        summary=Message(
            "Heat lowers the clock {percent:.0f} % of the time."
            if temperature is None
            else "Heat lowers the clock {percent:.0f} % of the time, at {temperature:.0f} °C.",
            percent=100 * worst,
            temperature=temperature,
        ),
        evidence={
            "held_by_driver_ratio": driver,
            "held_by_hardware_ratio": hardware,
            "clock_lost_ratio": lost,
            "temperature_celsius": temperature,
        },
        advice="Check the cooling: dust, fans, space between boards, room temperature. Until fixed, a lower power limit "
        "(sudo nvidia-smi -pl WATTS) is often faster.",
        refuted_by="If the clock stays as low when the GPU is cool, something else limits it.",
    )


SUMMARIES: Final = {
    "heat_hardware": "The hardware throttles the GPU {percent:.0f} % of the time: it is far too hot.",
    "heat_driver": "The driver throttles the GPU {percent:.0f} % of the time: it is too hot.",
    "power_brake": "The power supply throttles the GPU {percent:.0f} % of the time.",
}
ADVICE: Final = {
    "heat_hardware": "Stop the work and fix the cooling.",
    "heat_driver": "Check the cooling; a lower power limit (sudo nvidia-smi -pl WATTS) may be faster.",
    "power_brake": "The host's power supply can't feed all its GPUs at once. Check it.",
}


def _alert(view: View) -> Finding | None:
    series = view.series.last(ALERT_SECONDS)
    shares = {name: _held(series, cause) for name, cause in CAUSES.items()}
    reason, held = max(shares.items(), key=lambda item: item[1])
    lost = clock_lost(series)
    if held < HELD_RATIO or (lost is not None and lost < CLOCK_RATIO):
        return None
    is_critical = reason == "power_brake" or shares["heat_hardware"] >= HARDWARE_RATIO
    return Finding(
        severity="critical" if is_critical else "warning",
        summary=Message(SUMMARIES[reason], percent=100 * held),
        advice=ADVICE[reason],
        evidence={"lost_ratio": held, "reason": reason},
    )


def _held(series: ReadingSeries, cause: tuple[str, int]) -> float:
    # The counter covers all the time. Older drivers report only the bit, which is sampled at each reading.
    metric, bit = cause
    counted = series.mean(metric)
    return counted if counted is not None else bit_ratio(series, bit) or 0.0


RULE = Rule(
    code="thermal-throttled",
    title="Too hot",
    meaning="The GPU is too hot to keep its clock.",
    reads=(*COUNTERS[:2], "clock_event_flags", "temperature_celsius"),
    check=_check,
    alert="throttled",
)
ALERT = alert(
    "throttled",
    _alert,
    reads=(*COUNTERS, "clock_event_flags", "clock_sm_mhz", "clock_sm_max_mhz", UTILIZATION),
    holds_off=HoldOff(after_seconds=ALERT_SECONDS, until_seconds=30.0),
)
