"""A failing device: lost, with critical errors, with bad memory, or on a degraded link."""

from __future__ import annotations

import math
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, HoldOff, View, alert

XID_SECONDS: Final = 600.0
"""How long an XID error is shown."""

XID_WORDS: Final = {
    13: Message("a program's kernel failed"),
    31: Message("a program touched memory that isn't its own"),
    32: Message("a program's command buffer was damaged"),
    43: Message("a program's work was stopped after an error of its own"),
    45: Message("a program's work was cleared away after an earlier error"),
    48: Message("memory failed and could not be corrected"),
    63: Message("a row of bad memory was replaced"),
    64: Message("a row of bad memory could not be replaced"),
    74: Message("an NVLink failed"),
    79: Message("the device fell off the bus"),
    92: Message("many memory errors were corrected"),
    94: Message("memory failed; only the program that used it is affected"),
    95: Message("memory failed; all programs on the device are affected"),
    119: Message("the device's own processor does not answer"),
    120: Message("the device's own processor failed"),
}
XID_OF_PROGRAMS: Final = frozenset({13, 31, 32, 43, 45})
"""XIDs that are usually a program's own fault; all others come from the hardware or the driver."""

BUSY_PERCENT: Final = 50.0
LINK_SECONDS: Final = 20.0
LINK_METRICS: Final = (
    "pcie_link_generation",
    "pcie_link_max_generation",
    "pcie_link_lanes",
    "pcie_link_max_lanes",
)


def _lost(view: View) -> Finding | None:
    if not any(column[-1] == "device_lost" for column in view.series.columns.values()):
        return None
    return Finding(
        severity="critical",
        summary="The device is lost: the driver can't reach it any more.",
        advice="See the system's log for the reason (sudo dmesg | grep -i xid). A restart of the "
        "machine usually brings it back; if it happens again, the board or its slot is bad.",
        evidence={},
    )


def _xid(view: View) -> Finding | None:
    counts = view.series.last(XID_SECONDS).values("xid_count")
    if len(counts) < 2 or counts[-1] <= counts[0]:
        return None
    code = int(view.series.now("xid_last_code") or 0)
    mine = code in XID_OF_PROGRAMS
    words = XID_WORDS.get(code, Message("see NVIDIA's table of XID errors"))
    return Finding(
        severity="warning" if mine else "critical",
        summary=Message("The driver reported XID {value}: {words}.", value=code, words=words),
        advice="Look for the program that failed: an index out of range, or a bug in a kernel of its "
        "own. Its process must be started anew."
        if mine
        else "Save your work. If it happens again, have the device looked at.",
        evidence={"xid_count": counts[-1] - counts[0], "xid": float(code)},
    )


def _ecc(view: View) -> Finding | None:
    errors = view.series.now("ecc_uncorrected_count") or 0.0
    failed = view.series.now("remap_failed_count") or 0.0
    if not errors and not failed:
        return None
    return Finding(
        severity="critical",
        summary="The device's memory can't be repaired any more."
        if failed
        else Message(
            "{errors:.0f} memory errors could not be corrected since the driver was loaded.",
            errors=errors,
        ),
        advice="Results of this device can be wrong. Have it reset, and replaced if it happens again.",
        evidence={"errors_count": errors},
    )


def _link(view: View) -> Finding | None:
    recent = view.series.last(LINK_SECONDS)
    busy = recent.mean("utilization_percent") or 0.0
    _, generation_max, lanes, lanes_max = (recent.now(metric) for metric in LINK_METRICS)
    generations = recent.values(LINK_METRICS[0])
    narrow = lanes is not None and lanes < (lanes_max or 0.0)
    # An idle device lowers the generation by itself: the value means something only under load.
    slow = busy >= BUSY_PERCENT and max(generations, default=math.inf) < (generation_max or 0.0)
    if not narrow and not slow:
        return None
    return Finding(
        severity="warning",
        summary="PCIe runs below its link: "
        + (
            f"{lanes:.0f} of {lanes_max:.0f} lanes."
            if narrow
            else f"generation {max(generations):.0f} of {generation_max:.0f} under load."
        ),
        advice="Copies to the device are slower than they need be. See whether the board sits well "
        "in the right slot, and what the BIOS says of it.",
        evidence={
            "generation": max(generations, default=None),
            "generation_max": generation_max,
            "lanes": lanes,
            "lanes_max": lanes_max,
        },
    )


ALERTS: Final = (
    alert("device_lost", _lost, reads=("utilization_percent", "power_watts")),
    alert("xid", _xid, needs=("xid_count",), reads=("xid_last_code",)),
    alert(
        "ecc",
        _ecc,
        reads=("ecc_uncorrected_count", "remap_failed_count"),
        holds_off=HoldOff(until_seconds=15.0),
    ),
    alert(
        "pcie_below_link",
        _link,
        reads=("utilization_percent", *LINK_METRICS),
        holds_off=HoldOff(after_seconds=LINK_SECONDS, until_seconds=60.0),
    ),
)
