"""Devices wait for each other's data."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.diagnose.declaration import Finding, Rule, Threshold
from jupyter_gpuperf.diagnose.transfer_bound import (
    LANE_BYTES_PER_SECOND,
    USUAL_GENERATION,
    USUAL_LANES,
)
from jupyter_gpuperf.diagnose.view import View
from jupyter_gpuperf.diagnose.window import Series
from jupyter_gpuperf.diagnose.workload import Workload

CODE = "communication-bound"

NVLINK_BYTES_PER_SECOND: Final = 25e9
"""Of one link in one direction, from Volta to Hopper; newer ones are faster, so that this errs on the loud side."""

BUSY_RATIO = Threshold(
    0.6,
    reason="NCCL's kernels count as busy while they wait: devices that wait for each other look busy.",
    margin="Not measured on several devices yet; a single device has no peers and is never judged.",
)
FILL_RATIO = Threshold(
    0.6,
    reason="NCCL's kernels use a few of the multiprocessors: busy, and little of the chip at work.",
    margin="Training on one device 0.84 to 0.99; several devices were not recorded yet.",
)
PCIE_RATIO = Threshold(
    0.3,
    reason="Of the link, in both directions at once: a ring of devices without NVLink. Batches come in one "
    "direction alone.",
    margin="Batches from pinned memory 0.02 in, 0.002 out; several devices were not recorded yet.",
)
NVLINK_RATIO = Threshold(
    0.3,
    reason="Of all links: gradients of a network that overlap with its backward pass need a few percent.",
    margin="By arithmetic: a convolution network's gradients, 100 MB every 65 ms, 0.01 on an H100.",
)
BALANCED_RATIO = Threshold(
    0.5,
    reason="The lesser direction of the greater: in a ring each device sends as much as it receives.",
    margin="A ring 1 by construction; batches 0.06.",
)


def _check(view: View) -> Finding | None:
    work = view.work
    if work.busy_ratio is None or work.busy_ratio < BUSY_RATIO or not view.peers:
        return None
    fill = work.fill_ratio
    nvlink, pcie = _nvlink_ratio(view.series), _pcie_ratio(view.series, work)
    share = max(nvlink or 0.0, pcie or 0.0)
    if share < (NVLINK_RATIO if share == nvlink else PCIE_RATIO) or not _has_busy_peers(view):
        return None
    over_nvlink = share == nvlink
    return Finding(
        code=CODE,
        severity="warning" if fill is not None and fill < FILL_RATIO else "info",
        confidence="suspected",
        summary=f"{share:.0%} of what the NVLinks carry is used while the GPU's units work little: devices wait for each other."
        if over_nvlink
        else f"{share:.0%} of the PCIe link is used in both directions while the GPU's units work little: devices wait for each other.",
        evidence={
            "busy_ratio": work.busy_ratio,
            "filled_ratio": "unknown" if fill is None else fill,
            "nvlink_used_ratio": "unknown" if nvlink is None else nvlink,
            "pcie_used_ratio": "unknown" if pcie is None else pcie,
            "devices_count": float(1 + len(view.peers)),
        },
        lost_ratio=None,
        advice="Send less, or while computing: gradient accumulation, larger buckets in "
        "DistributedDataParallel, bf16 gradients (comm_hooks), and devices that NVLink joins.",
        refuted_by="Train on one device: if its samples per second are those of each of the group, "
        "communication costs nothing.",
    )


def _has_busy_peers(view: View) -> bool:
    start, end = view.series.times_seconds[0], view.series.times_seconds[-1]
    means = [each.series.between(start, end).mean("utilization_percent") for each in view.peers]
    return any(mean is not None and mean / 100 >= BUSY_RATIO for mean in means)


def _pcie_ratio(series: Series, work: Workload) -> float | None:
    received, sent = work.receive_bytes_per_second, work.transmit_bytes_per_second
    if (
        received is None
        or sent is None
        or min(received, sent) < BALANCED_RATIO * max(received, sent)
    ):
        return None
    generation = max(series.values("pcie_link_generation"), default=float(USUAL_GENERATION))
    lanes = series.newest("pcie_link_lanes") or series.newest("pcie_link_max_lanes") or USUAL_LANES
    lane = LANE_BYTES_PER_SECOND.get(round(generation), LANE_BYTES_PER_SECOND[USUAL_GENERATION])
    return min(received, sent) / (lanes * lane)


def _nvlink_ratio(series: Series) -> float | None:
    links = series.newest("nvlink_links_count")
    rates = (
        series.mean("nvlink_receive_bytes_per_second"),
        series.mean("nvlink_transmit_bytes_per_second"),
    )
    known = [rate for rate in rates if rate is not None]
    return max(known) / (links * NVLINK_BYTES_PER_SECOND) if links and known else None


RULE = Rule(
    code=CODE,
    title="Waiting for other devices",
    meaning="Several devices train together, and spend their time exchanging data instead of computing.",
    needs=("utilization_percent",),
    check=_check,
)
