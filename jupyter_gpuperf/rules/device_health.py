"""Alerts for a failing device: one that is lost, has critical errors or bad memory, or uses a degraded link."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.rule import Finding, HoldOff, View, alert

XID_SECONDS: Final = 600.0
"""How long an XID error is shown after it occurred."""

XID_MEANINGS: Final = {
    13: Message("a program's kernel failed"),
    31: Message("a program accessed memory that isn't its own"),
    32: Message("a program's command buffer was corrupted"),
    43: Message("a program was stopped after its own error"),
    45: Message("a program's work was cleaned up after an earlier error"),
    48: Message("uncorrectable memory error"),
    63: Message("a faulty memory row was remapped"),
    64: Message("a faulty memory row could not be remapped"),
    74: Message("NVLink error"),
    79: Message("the GPU has fallen off the bus"),
    92: Message("many corrected memory errors"),
    94: Message("memory error; only the program that used the memory is affected"),
    95: Message("memory error; all programs on the GPU are affected"),
    119: Message("the GPU's system processor (GSP) doesn't respond"),
    120: Message("the GPU's system processor (GSP) failed"),
}
XID_OF_PROGRAMS: Final = frozenset({13, 31, 32, 43, 45})
"""XIDs that a program usually causes itself; the hardware or the driver causes all others."""

ECC_METRICS: Final = ("ecc_uncorrected_count", "remap_failed_count")

BUSY_PERCENT: Final = 50.0
LINK_SECONDS: Final = 20.0
LINK_HOLDS_OFF: Final = HoldOff(after_seconds=LINK_SECONDS, until_seconds=60.0)
LINK_METRICS: Final = (
    *("pcie_link_generation", "pcie_link_max_generation"),
    *("pcie_link_lanes", "pcie_link_max_lanes"),
)


def _lost(view: View) -> Finding | None:
    if not any(column[-1] == "device_lost" for column in view.series.columns.values()):
        return None
    return Finding(
        severity="critical",
        summary="The driver has lost the GPU.",
        advice="Find the reason in the system log (sudo dmesg | grep -i xid). A host restart usually helps; "
        "if it happens again, the board or its slot is faulty.",
        evidence={},
    )


def _xid(view: View) -> Finding | None:
    counts = view.series.last(XID_SECONDS).values("xid_count")
    if len(counts) < 2 or counts[-1] <= counts[0]:
        return None
    code = int(view.series.current("xid_last_code") or 0)
    is_of_program = code in XID_OF_PROGRAMS
    meaning = XID_MEANINGS.get(code, Message("see NVIDIA's list of XID errors"))
    return Finding(
        severity="warning" if is_of_program else "critical",
        summary=Message("The driver reported XID {code}: {meaning}.", code=code, meaning=meaning),
        advice="Restart the process that failed. Likely causes: an index out of range or a bug in a custom kernel."
        if is_of_program
        else "Save your work. If it happens again, have the GPU checked.",
        evidence={"xid_count": counts[-1] - counts[0], "xid": float(code)},
    )


def _ecc(view: View) -> Finding | None:
    errors, failed = (view.series.current(metric) or 0.0 for metric in ECC_METRICS)
    if not errors and not failed:
        return None
    return Finding(
        severity="critical",
        summary="The GPU's memory can no longer be repaired."
        if failed
        else Message.counted(
            "{count} uncorrected memory error since the driver was loaded.",
            "{count} uncorrected memory errors since the driver was loaded.",
            count=int(errors),
        ),
        advice="Results from this GPU may be wrong. Reset it; if the errors recur, replace it.",
        evidence={"errors_count": errors},
    )


def _link(view: View) -> Finding | None:
    recent = view.series.last(LINK_SECONDS)
    busy = recent.mean(UTILIZATION) or 0.0
    _, full, lanes, lanes_max = (recent.current(metric) for metric in LINK_METRICS)
    used = max(recent.values(LINK_METRICS[0]), default=None)
    if lanes is not None and lanes < (lanes_max or 0.0):
        summary = Message("PCIe uses {lanes:.0f} of {full:.0f} lanes.", lanes=lanes, full=lanes_max)
    # An idle device lowers the PCIe generation to save power, so the value is meaningful only under load.
    elif busy >= BUSY_PERCENT and used is not None and used < (full or 0.0):
        summary = Message("PCIe Gen {used:.0f} of {full:.0f} under load.", used=used, full=full)
    else:
        return None
    return Finding(
        severity="warning",
        summary=summary,
        advice="Copies to the GPU are slower than necessary. Check the board's seat and slot, and the BIOS settings.",
        evidence={
            "generation": used,
            "generation_max": full,
            "lanes": lanes,
            "lanes_max": lanes_max,
        },
    )


ALERTS: Final = (
    alert("device_lost", _lost, reads=(UTILIZATION, "power_watts")),
    alert("xid", _xid, needs=("xid_count",), reads=("xid_last_code",)),
    alert("ecc", _ecc, reads=ECC_METRICS, holds_off=HoldOff(until_seconds=15.0)),
    alert("pcie_below_link", _link, reads=(UTILIZATION, *LINK_METRICS), holds_off=LINK_HOLDS_OFF),
)
