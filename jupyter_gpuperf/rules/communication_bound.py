"""Detect that devices wait for each other: while they exchange data, or for a straggler."""

from __future__ import annotations

from statistics import median
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import ReadingSeries
from jupyter_gpuperf.rules.straggler import Cause, Straggler, fill_of
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import link_rate
from jupyter_gpuperf.rules.workload import Workload

NVLINK_BYTES_PER_SECOND: Final = 25e9
"""Rate of one NVLink link in one direction, from Volta to Hopper. Newer links are faster, so on them the rule reports
too often rather than too rarely."""

BUSY_RATIO = Threshold(
    0.6,
    reason="NCCL kernels count as busy while they wait, so waiting devices look busy.",
    margin="Two ranks on two H100s: balanced 0.95 to 0.96, one waiting 0.98. A single device is never judged.",
)
FILL_RATIO = Threshold(
    0.6,
    reason="NCCL kernels use few multiprocessors: the device is busy, but little of the chip works.",
    margin="One device 0.84 to 0.99. Two ranks: balanced 0.89 to 0.90, one waiting half of its step or more 0.43 to 0.53.",
)
PCIE_RATIO = Threshold(
    0.3,
    reason="Of the link, in both directions: a ring of devices without NVLink. Batches use only one direction.",
    margin="Pinned batches 0.02 in, 0.002 out; two ranks over NVLink 0.001. Without NVLink: not measured.",
)
NVLINK_RATIO = Threshold(
    0.3,
    reason="Of all links. Gradients that overlap with the backward pass need a few percent.",
    margin="Two ranks of a ResNet-50 on H100s, 100 MB of gradients every 70 ms: 0.003. Constant copying: 0.90.",
)
BALANCED_RATIO = Threshold(
    0.5,
    reason="Lower rate divided by higher rate: in a ring, each device sends as much as it receives.",
    margin="Two ranks over NVLink 0.98 to 1, their traffic over PCIe 0.20; batches 0.06.",
)

SUMMARIES: Final = {
    Cause.DATA: "GPU {straggler} (process {pid}) waits for data and delays GPU {waiting} by {percent:.0f} % of a step.",
    Cause.HOST: "GPU {straggler} (process {pid}) waits for its host and delays GPU {waiting} by {percent:.0f} % of a step.",
    Cause.GPU: "GPU {straggler} (process {pid}) computes longer and delays GPU {waiting} by {percent:.0f} % of a step.",
}
ADVICE: Final = {
    Cause.DATA: "Fix this process's DataLoader. Check whether its share of the dataset is larger or on a slower disk, "
    "and whether its workers have their own cores.",
    Cause.HOST: "Check what only this process does in its steps, such as logging, saving or evaluation on rank 0, and "
    "whether it shares its cores with other programs.",
    Cause.GPU: "Check whether this GPU is shared, hot, or set to lower clocks, and whether its batches are larger or "
    "longer than the others'.",
}


def _check(view: View) -> Finding | None:
    straggler = view.straggler
    if straggler is None:
        return _exchanging(view)
    # Report the straggler once, on its own device, not on each of the devices that wait for it.
    return _late(straggler) if straggler.late.device.uuid == view.device.uuid else None


def _late(straggler: Straggler) -> Finding:
    late, waiting, cause = straggler.late, straggler.waiting, straggler.cause
    process = "?" if late.steps.pid is None else str(late.steps.pid)
    late_index, *waiting_indexes = (str(rank.device.index) for rank in (late, *waiting))
    waiting_indexes.sort(key=int)
    return Finding(
        severity="warning",
        # A slow GPU is inferred from the driver's readings; the step clocks measure idle time and its cause.
        confidence="suspected" if cause is Cause.GPU else "confirmed",
        summary=Message(
            SUMMARIES[cause],
            straggler=late_index,
            pid=process,
            waiting=waiting_indexes,
            percent=100 * straggler.lost_ratio,
        ),
        evidence={
            "late_device_index": late_index,
            "late_process": process,
            "late_idle_for_data_ratio": late.data_ratio,
            "late_idle_for_host_ratio": late.host_ratio,
            "late_filled_ratio": late.fill_ratio,
            "waiting_device_indexes": ", ".join(waiting_indexes),
            "waiting_idle_ratio": median(each.idle_ratio for each in waiting),
            "waiting_filled_ratio": fill_of(waiting),
            "step_seconds": late.steps.step_seconds,
        },
        lost_ratio=straggler.lost_ratio,
        advice=ADVICE[cause],
        refuted_by="Train without this rank: if the steps take as long as before, it is not the straggler.",
    )


def _exchanging(view: View) -> Finding | None:
    work = view.work
    if work.busy_ratio < BUSY_RATIO or not view.peers:
        return None
    nvlink, pcie = _nvlink_ratio(view.series), _pcie_ratio(view.series, work)
    used = max(nvlink or 0.0, pcie or 0.0)
    over_nvlink = used == nvlink
    if used < (NVLINK_RATIO if over_nvlink else PCIE_RATIO) or not _has_busy_peers(view):
        return None
    fill = work.fill_ratio
    return Finding(
        severity="warning" if fill is not None and fill < FILL_RATIO else "info",
        confidence="suspected",
        summary=Message(
            "{link} {percent:.0f} % used while the GPU computes little: devices wait for each other.",
            link="NVLink" if over_nvlink else "PCIe",
            percent=100 * used,
        ),
        evidence={
            "busy_ratio": work.busy_ratio,
            "filled_ratio": fill,
            "nvlink_used_ratio": nvlink,
            "pcie_used_ratio": pcie,
            "devices_count": float(1 + len(view.peers)),
        },
        advice="Send less, or send while computing: gradient accumulation, larger DistributedDataParallel buckets, "
        "bf16 gradients (comm_hooks), devices connected by NVLink.",
        refuted_by="Train on one device: if it is as fast as each of the group, communication costs nothing.",
    )


def _has_busy_peers(view: View) -> bool:
    start, end = view.series.times_seconds[0], view.series.times_seconds[-1]
    means = (each.series.between(start, end).mean("utilization_percent") for each in view.peers)
    return any((mean or 0.0) / 100 >= BUSY_RATIO for mean in means)


def _pcie_ratio(series: ReadingSeries, work: Workload) -> float | None:
    received, sent = work.receive_bytes_per_second, work.transmit_bytes_per_second
    if received is None or sent is None:
        return None
    lesser, greater = sorted((received, sent))
    return None if lesser < BALANCED_RATIO * greater else lesser / link_rate(series)


def _nvlink_ratio(series: ReadingSeries) -> float | None:
    links = series.last_known("nvlink_links_count")
    means = (series.mean(f"nvlink_{way}_bytes_per_second") for way in ("receive", "transmit"))
    known = [mean for mean in means if mean is not None]
    return max(known) / (links * NVLINK_BYTES_PER_SECOND) if links and known else None


RULE = Rule(
    code="communication-bound",
    title="Waiting for other devices",
    meaning="Devices that train together spend time on exchanging data, or on waiting for a straggler.",
    check=_check,
    is_of_loop=True,
)
