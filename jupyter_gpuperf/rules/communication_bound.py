"""Devices wait for each other: while they exchange data, or for a straggler."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import Series
from jupyter_gpuperf.rules.straggler import Cause, Rank, Straggler, fill_of
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import link_rate
from jupyter_gpuperf.rules.workload import Workload

NVLINK_BYTES_PER_SECOND: Final = 25e9
"""Rate of one link in one direction, from Volta to Hopper. Newer links are faster, so findings come too often
rather than too rarely."""

BUSY_RATIO = Threshold(
    0.6,
    reason="NCCL's kernels count as busy while they wait: devices that wait for each other look busy.",
    margin="Two ranks on two H100s: alike 0.95 to 0.96, one that waits for the other 0.98. A single device has no peers "
    "and is never judged.",
)
FILL_RATIO = Threshold(
    0.6,
    reason="NCCL's kernels use a few of the multiprocessors: busy, and little of the chip at work.",
    margin="Training on one device 0.84 to 0.99. Two ranks: alike 0.89 to 0.90, one that waits for half of its step and "
    "more 0.43 to 0.53.",
)
PCIE_RATIO = Threshold(
    0.3,
    reason="Of the link, in both directions at once: a ring of devices without NVLink. Batches come in one "
    "direction alone.",
    margin="Batches from pinned memory 0.02 in, 0.002 out; two ranks that NVLink joins 0.001. Without NVLink: not "
    "measured.",
)
NVLINK_RATIO = Threshold(
    0.3,
    reason="Of all links: gradients of a network that overlap with its backward pass need a few percent.",
    margin="Two ranks of a ResNet-50 on H100s, 100 MB of gradients every 70 ms: 0.003. Copies between the two without "
    "a pause 0.90.",
)
BALANCED_RATIO = Threshold(
    0.5,
    reason="The lesser direction of the greater: in a ring each device sends as much as it receives.",
    margin="Two ranks over NVLink 0.98 to 1, and what comes over PCIe beside it 0.20; batches 0.06.",
)


SUMMARIES: Final = {
    Cause.DATA: "GPU {} (process {}) is late, since it waits for data: it holds up GPU {} for {:.0%} of each step.",
    Cause.HOST: "GPU {} (process {}) is late, since its host is: it holds up GPU {} for {:.0%} of each step.",
    Cause.GPU: "GPU {} (process {}) is late, since it computes for longer: it holds up GPU {} for {:.0%} of each step.",
}
ADVICE: Final = {
    Cause.DATA: Message(
        "Mend this process's loader, since the others wait for it in every step: see whether its part of "
        "the data is larger or on a slower disk, and whether its workers have cores of their own."
    ),
    Cause.HOST: Message(
        "See what this process does in its step and the others don't, as logging, saving or evaluating on "
        "rank 0, and whether it shares its cores with other programs."
    ),
    Cause.GPU: Message(
        "See whether this GPU is shared, hot, or set to lower clocks, and whether this process's batches are "
        "larger or longer than those of the others."
    ),
}


def _check(view: View) -> Finding | None:
    straggler = view.straggler
    if straggler is None:
        return _exchanging(view)
    # Reported once, on the device to fix, not on each of those that wait.
    return _late(straggler) if straggler.late.device.uuid == view.device.uuid else None


def _late(straggler: Straggler) -> Finding:
    late, waiting = straggler.late, straggler.waiting
    cause, lost = straggler.cause, straggler.lost_ratio
    process = "?" if late.steps.pid is None else str(late.steps.pid)
    return Finding(
        severity="warning",
        # The fill ratio is a driver's reading; idle time and its cause are measured by the step clocks.
        confidence="suspected" if cause is Cause.GPU else "confirmed",
        summary=SUMMARIES[cause].format(late.device.index, process, _indexes(waiting), lost),
        evidence={
            "late_device_index": str(late.device.index),
            "late_process": process,
            "late_idle_for_data_ratio": late.data_ratio,
            "late_idle_for_host_ratio": late.host_ratio,
            "late_filled_ratio": late.fill_ratio,
            "waiting_device_indexes": _indexes(waiting),
            "waiting_idle_ratio": median(each.idle_ratio for each in waiting),
            "waiting_filled_ratio": fill_of(waiting),
            "step_seconds": late.steps.step_seconds,
        },
        lost_ratio=lost,
        advice=ADVICE[cause],
        refuted_by="Train on the others alone: if their steps take as long as before, it is not this one that they wait for.",
    )


def _indexes(ranks: Sequence[Rank]) -> str:
    return ", ".join(str(index) for index in sorted(each.device.index for each in ranks))


def _exchanging(view: View) -> Finding | None:
    work = view.work
    if work.busy_ratio < BUSY_RATIO or not view.peers:
        return None
    nvlink, pcie = _nvlink_ratio(view.series), _pcie_ratio(view.series, work)
    share = max(nvlink or 0.0, pcie or 0.0)
    over_nvlink = share == nvlink
    if share < (NVLINK_RATIO if over_nvlink else PCIE_RATIO) or not _has_busy_peers(view):
        return None
    fill = work.fill_ratio
    return Finding(
        severity="warning" if fill is not None and fill < FILL_RATIO else "info",
        confidence="suspected",
        summary=Message(
            "{share:.0%} of what the NVLinks carry is used while the GPU's units work "
            "little: devices wait for each other.",
            share=share,
        )
        if over_nvlink
        else Message(
            "{share:.0%} of the PCIe link is used in both directions while the GPU's units "
            "work little: devices wait for each other.",
            share=share,
        ),
        evidence={
            "busy_ratio": work.busy_ratio,
            "filled_ratio": fill,
            "nvlink_used_ratio": nvlink,
            "pcie_used_ratio": pcie,
            "devices_count": float(1 + len(view.peers)),
        },
        advice="Send less, or while computing: gradient accumulation, larger buckets in "
        "DistributedDataParallel, bf16 gradients (comm_hooks), and devices that NVLink joins.",
        refuted_by="Train on one device: if its samples per second are those of each of the group, "
        "communication costs nothing.",
    )


def _has_busy_peers(view: View) -> bool:
    start, end = view.series.times_seconds[0], view.series.times_seconds[-1]
    means = (each.series.between(start, end).mean("utilization_percent") for each in view.peers)
    return any((mean or 0.0) / 100 >= BUSY_RATIO for mean in means)


def _pcie_ratio(series: Series, work: Workload) -> float | None:
    received, sent = work.receive_bytes_per_second, work.transmit_bytes_per_second
    if received is None or sent is None:
        return None
    lesser, greater = sorted((received, sent))
    return None if lesser < BALANCED_RATIO * greater else lesser / link_rate(series)


def _nvlink_ratio(series: Series) -> float | None:
    links = series.newest("nvlink_links_count")
    means = (series.mean(f"nvlink_{way}_bytes_per_second") for way in ("receive", "transmit"))
    known = [mean for mean in means if mean is not None]
    return max(known) / (links * NVLINK_BYTES_PER_SECOND) if links and known else None


RULE = Rule(
    code="communication-bound",
    title="Waiting for other devices",
    meaning="Several devices train together, and spend their time exchanging data, or waiting for one that is late, "
    "instead of computing.",
    check=_check,
    is_of_loop=True,
)
