"""Memory that is nearly full: the device's, the machine's /dev/shm, and its disk."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from jupyter_gpuperf.alerts.declaration import AlertRule, Evidence, Found, Window

GIB: Final = float(1 << 30)
FULL_RATIO: Final = 0.95
GROWING_RATIO: Final = 0.8
"""Growth is told from here on: below, a program that loads its data is not in danger."""
TREND_SECONDS: Final = 30.0
SOON_SECONDS: Final = 120.0
SHM_RATIO: Final = 0.9
DISK_FREE_BYTES: Final = 2 * GIB


def _device(window: Window) -> Found | None:
    used, total = window.value("memory_used_bytes"), window.value("memory_total_bytes")
    if used is None or not total:
        return None
    evidence: Evidence = {"used_bytes": used, "total_bytes": total}
    left = seconds_until(window.last(TREND_SECONDS), "memory_used_bytes", total)
    if used / total >= GROWING_RATIO and left is not None and left <= SOON_SECONDS:
        return Found(
            severity="warning",
            summary=f"Memory grows, and is full in about {left:.0f} s: {_of(used, total)}.",
            advice="Stop before it fails, or free what other notebooks hold; then try a smaller "
            "batch. Memory that grows from step to step is often a loss kept without .item().",
            evidence={**evidence, "full_in_seconds": left},
        )
    if used / total < FULL_RATIO:
        return None
    return Found(
        severity="warning",
        summary=f"Memory is nearly full: {_of(used, total)}.",
        advice="A larger batch, or another notebook on this device, will run out of memory.",
        evidence=evidence,
    )


def _shared(window: Window) -> Found | None:
    used, total = window.value("host_shm_used_bytes"), window.value("host_shm_total_bytes")
    if used is None or not total or used / total < SHM_RATIO:
        return None
    return Found(
        severity="warning",
        summary=f"/dev/shm is nearly full: {_of(used, total)}.",
        advice="DataLoader workers hand over batches through it, and die with a bus error when it is "
        "full. Use fewer workers or a smaller prefetch factor; start a container with a larger "
        "--shm-size.",
        evidence={"used_bytes": used, "total_bytes": total},
    )


def _disk(window: Window) -> Found | None:
    used, total = window.value("host_disk_used_bytes"), window.value("host_disk_total_bytes")
    if used is None or not total or total - used >= min(DISK_FREE_BYTES, 0.05 * total):
        return None
    return Found(
        severity="warning",
        summary=f"The disk is nearly full: {(total - used) / GIB:.1f} GiB are free.",
        advice="Checkpoints and notebooks can't be saved on a full disk. Remove old ones.",
        evidence={"used_bytes": used, "total_bytes": total},
    )


def seconds_until(window: Window, metric: str, limit: float) -> float | None:
    """Return when a steadily growing metric reaches ``limit``, by the slope of a fitted line.

    ``None`` when it doesn't grow, when it does so in one step (as an allocation does), or when
    there are too few readings to tell.
    """
    points = window.values(metric)
    if len(points) < 5 or points[-1][0] - points[0][0] < TREND_SECONDS / 2:
        return None
    rises = [after - before for (_, before), (_, after) in pairwise(points)]
    grown = points[-1][1] - points[0][1]
    if grown <= 0 or max(rises) > grown / 2:
        return None
    mean_time = sum(time for time, _ in points) / len(points)
    mean_value = sum(value for _, value in points) / len(points)
    spread = sum((time - mean_time) ** 2 for time, _ in points)
    slope = sum((time - mean_time) * (value - mean_value) for time, value in points) / spread
    return (limit - points[-1][1]) / slope if slope > 0 else None


def _of(used: float, total: float) -> str:
    return f"{used / GIB:.1f} of {total / GIB:.1f} GiB"


RULES: Final = (
    AlertRule(
        code="memory_nearly_full",
        scope="device",
        needs=("memory_used_bytes", "memory_total_bytes"),
        check=_device,
    ),
    AlertRule(
        code="shm_nearly_full",
        scope="host",
        needs=("host_shm_used_bytes", "host_shm_total_bytes"),
        check=_shared,
        after_seconds=2.0,
    ),
    AlertRule(
        code="disk_nearly_full",
        scope="host",
        needs=("host_disk_used_bytes", "host_disk_total_bytes"),
        check=_disk,
    ),
)
