"""Detect that the power limit lowers the clock."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import ReadingSeries
from jupyter_gpuperf.rules.threshold import Threshold

POWER_CAP_BIT: Final = 0x4
USER_CLOCK_BITS: Final = 0x2 | 0x10 | 0x100
"""Clock event reasons other than limits: clocks set by the user, for synchronized devices, or for the display."""

LOST_WARNING_RATIO = Threshold(
    0.15,
    reason="Of the highest clock, while busy. Some chips reach it only under light load, and lose a tenth at full load.",
    margin="Matrix products at 697 of 700 W 0.32; a network at 586 W with the same bit set 0.003.",
)
LOST_INFO_RATIO = Threshold(
    0.08, reason="More than one step of the clock.", margin="A network with the bit set 0.003."
)
BIT_RATIO = Threshold(
    0.3,
    reason="Share of readings with the power limit's bit: it shows the cause, not the loss.",
    margin="At the limit 1.0; below it 0.",
)
POWER_RATIO = Threshold(
    0.93,
    reason="Of the limit, if the driver reports no bits: the regulator stays a few percent below.",
    margin="At the limit 0.996; a network in fp32 that loses no clock 0.92.",
)
BUSY_PERCENT: Final = 50.0
"""Readings with a lower utilization are left out: an idle device lowers its clocks to save power."""


def _check(view: View) -> Finding | None:
    lost = clock_lost(view.series)
    if lost is None or lost < LOST_INFO_RATIO or not _is_the_cause(view):
        return None
    series = view.series
    power, limit = series.mean("power_watts"), series.last_known("power_limit_watts")
    return Finding(
        severity="warning" if lost >= LOST_WARNING_RATIO else "info",
        summary=Message(
            "Power limit costs {percent:.0f} % of the clock ({power:.0f} of {limit:.0f} W used)."
            if power is not None and limit is not None
            else "Power limit costs {percent:.0f} % of the clock.",
            percent=100 * lost,
            power=power,
            limit=limit,
        ),
        evidence={
            "clock_sm_mhz": series.mean("clock_sm_mhz") or 0.0,
            "clock_sm_max_mhz": series.last_known("clock_sm_max_mhz") or 0.0,
            "clock_lost_ratio": lost,
            "power_watts": power,
            "power_limit_watts": limit,
        },
        advice="Full use of the GPU, rarely a fault. Raise the limit if allowed (sudo nvidia-smi -pl WATTS), or save "
        "power with bf16 instead of fp32.",
        refuted_by="If the clock stays as low under light load, something else limits it.",
    )


def clock_lost(series: ReadingSeries) -> float | None:
    """Return the share by which the mean clock of the busy device is below its highest clock.

    ``None`` if the highest clock is unknown, or the device was busy in fewer than three readings.
    """
    highest = series.last_known("clock_sm_max_mhz")
    used = {at for at, value in series.points("utilization_percent") if value >= BUSY_PERCENT}
    busy = [clock for at, clock in series.points("clock_sm_mhz") if at in used]
    if not highest or len(busy) < 3:
        return None
    return max(0.0, 1.0 - sum(busy) / len(busy) / highest)


def bit_ratio(series: ReadingSeries, mask: int) -> float | None:
    """Return the share of readings in which any bit of ``mask`` was set.

    ``None`` if no reading has clock event flags.
    """
    flags = [int(value) for value in series.values("clock_event_flags")]
    return sum(bool(value & mask) for value in flags) / len(flags) if flags else None


def _is_the_cause(view: View) -> bool:
    capped, by_user = bit_ratio(view.series, POWER_CAP_BIT), bit_ratio(view.series, USER_CLOCK_BITS)
    if capped is not None:
        return capped >= BIT_RATIO and capped >= (by_user or 0.0)
    power, limit = (
        view.series.mean("power_watts"),
        view.series.last_known("power_limit_watts"),
    )
    return power is not None and bool(limit) and power >= POWER_RATIO * (limit or 0.0)


RULE = Rule(
    code="power-capped",
    title="Power limit",
    meaning="The GPU reaches its power limit and lowers its clock.",
    needs=("clock_sm_mhz", "clock_sm_max_mhz", "utilization_percent"),
    check=_check,
)
