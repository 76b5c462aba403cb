"""Alerts for nearly full storage of the host: /dev/shm or the disk."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import FIVE_SECONDS, Finding, HoldOff, View, alert
from jupyter_gpuperf.units import GIB

SHM_RATIO: Final = 0.9
DISK_FREE_BYTES: Final = 2 * GIB
SHM_METRICS: Final = ("host_shm_used_bytes", "host_shm_total_bytes")
DISK_METRICS: Final = ("host_disk_used_bytes", "host_disk_total_bytes")


def _shared(view: View) -> Finding | None:
    used, total = (view.series.current(metric) for metric in SHM_METRICS)
    if used is None or not total or used / total < SHM_RATIO:
        return None
    return Finding(
        severity="warning",
        summary=Message(
            "/dev/shm is nearly full: {used:.1f} of {total:.1f} GiB.",
            used=used / GIB,
            total=total / GIB,
        ),
        advice="DataLoader workers pass batches through it, and crash with a bus error when it is full. Use fewer "
        "workers or a smaller prefetch_factor, or start the container with a larger --shm-size.",
        evidence={"used_bytes": used, "total_bytes": total},
    )


def _disk(view: View) -> Finding | None:
    used, total = (view.series.current(metric) for metric in DISK_METRICS)
    if used is None or not total or total - used >= min(DISK_FREE_BYTES, 0.05 * total):
        return None
    return Finding(
        severity="warning",
        summary=Message("The disk is nearly full: {free:.1f} GiB free.", free=(total - used) / GIB),
        advice="Checkpoints and notebooks can't be saved on a full disk. Delete old ones.",
        evidence={"used_bytes": used, "total_bytes": total},
    )


SHM_HOLDS_OFF: Final = HoldOff(after_seconds=2.0, until_seconds=15.0)
ALERTS: Final = (
    alert("shm_nearly_full", _shared, scope="host", needs=SHM_METRICS, holds_off=SHM_HOLDS_OFF),
    alert("disk_nearly_full", _disk, scope="host", needs=DISK_METRICS, holds_off=FIVE_SECONDS),
)
