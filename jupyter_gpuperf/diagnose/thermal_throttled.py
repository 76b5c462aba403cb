"""Heat takes clock from the work."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.diagnose.declaration import Finding, Rule, Threshold
from jupyter_gpuperf.diagnose.power_capped import bit_ratio, clock_lost
from jupyter_gpuperf.diagnose.view import View

CODE = "thermal-throttled"

DRIVER_BIT: Final = 0x20
HARDWARE_BIT: Final = 0x40
LOST_RATIOS: Final = ("clock_lost_thermal_software_ratio", "clock_lost_thermal_hardware_ratio")

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


def _check(view: View) -> Finding | None:
    held = {name: _held(view, name, bit) for name, bit in zip(LOST_RATIOS, BITS, strict=True)}
    worst = max(held.values())
    lost = clock_lost(view)
    if worst < HELD_RATIO or (lost is not None and lost < CLOCK_RATIO):
        return None
    hardware = held[LOST_RATIOS[1]] >= HARDWARE_RATIO
    temperature = view.series.mean("temperature_celsius")
    return Finding(
        code=CODE,
        severity="critical" if hardware else "warning",
        confidence="confirmed",
        summary=f"Heat holds the clock back {worst:.0%} of the time, at {temperature:.0f} °C."
        if temperature is not None
        else f"Heat holds the clock back {worst:.0%} of the time.",
        evidence={
            "held_by_driver_ratio": held[LOST_RATIOS[0]],
            "held_by_hardware_ratio": held[LOST_RATIOS[1]],
            "clock_lost_ratio": "unknown" if lost is None else lost,
            "temperature_celsius": "unknown" if temperature is None else temperature,
        },
        advice="See to the cooling: dust, fans, room between boards, the temperature of the room. Until then "
        "a lower power limit (sudo nvidia-smi -pl WATTS) is often faster.",
        refuted_by="If the clock stays as low when the device is cool, something else holds it.",
    )


BITS: Final = (DRIVER_BIT, HARDWARE_BIT)


def _held(view: View, metric: str, bit: int) -> float:
    # The counter misses nothing; the bit is of the reading's moment alone.
    counted = view.series.mean(metric)
    return counted if counted is not None else bit_ratio(view, bit) or 0.0


RULE = Rule(
    code=CODE,
    title="Too hot",
    meaning="The GPU is too hot to keep its clock.",
    needs=("utilization_percent",),
    check=_check,
)
