"""Detect that a device waits for copies over PCIe."""

from __future__ import annotations

from typing import Final, NamedTuple

from jupyter_gpuperf.loaders.code_suggestions import NON_BLOCKING_SNIPPET, loader_code
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.idle_patterns import IdlePattern, idle_pattern_of, is_host_idle
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import ReadingSeries
from jupyter_gpuperf.rules.step_phases import PhaseShare, shares_of
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.units import PCIE_LANE_BYTES_PER_SECOND

PINNED_ADVICE: Final = (
    "Use pinned memory and asynchronous copies: pin_memory=True in the loader, .to(device, "
    "non_blocking=True). Send small types such as uint8 images, and convert them on the GPU."
)
USUAL_LANES: Final = 16.0
USUAL_GENERATION: Final = 3

PAGEABLE_RATIO = Threshold(
    0.4,
    reason="Share of the link's rate that a pageable copy reaches: one core copies it to a pinned buffer first.",
    margin="Not measured on older links; on generation 5 the bound below applies.",
)
PAGEABLE_BYTES_PER_SECOND = Threshold(
    8e9,
    reason="Upper bound on any link: one core copies no faster from memory to memory.",
    margin="Measured on generation 5: 6.3 to 7.5 GB/s.",
)
LOST_WARNING_RATIO = Threshold(
    0.4,
    reason="Share of time if all copies are pageable; pinned copies would take a quarter of it.",
    margin="Pageable copies in every step 0.85; image batches from pinned memory 0.19; none 0.01.",
)
LOST_INFO_RATIO = Threshold(
    0.25, reason="Worth a note if the device is idle.", margin="Pinned image batches 0.19."
)
BUSY_RATIO = Threshold(
    0.65,
    reason="A device that is busy during copies overlaps them with its work, as it should.",
    margin="Pageable copies in every step 0.15.",
)
HOST_RATIO = Threshold(
    0.25,
    reason="Of the steps' time, by the step clock: the device waits for the host, not for the loader.",
    margin="Data in memory, pinned copies 0.44, but few bytes.",
)

PHASE_WARNING_RATIO = Threshold(
    0.2,
    reason="Of a step, in the phase copy: pinned memory and non_blocking=True hide it behind the device's work.",
    margin="Pinned, asynchronous copies: the host is hardly in it. Calculated: pageable images for a ResNet-50 0.1.",
)
PHASE_INFO_RATIO = Threshold(
    0.1,
    reason="Of a step, in the phase copy: worth a note, since pinned memory costs nothing.",
    margin="Asynchronous copies from pinned memory: the host is hardly in it.",
)
COPIED_RATIO = Threshold(
    0.5,
    reason="Of the phase copy: what the bytes received would take at the usual rate of such copies. Most of it is copying.",
    margin="Pageable copies on generation 5, at 6.3 to 7.5 GB/s: 0.79 to 0.94. Without copies 0.01.",
)
SLOWLY_COPIED_RATIO = Threshold(
    0.2,
    reason="Copies are slower from memory that was never read, such as a worker's batch; but something else may be, too.",
    margin="Not measured.",
)


def _check(view: View) -> Finding | None:
    wait = copy_wait(view)
    return _by_traffic(view, wait) if not wait else _in_phase(view, wait)


def _in_phase(view: View, wait: CopyWait) -> Finding:
    loader, received = view.loader, view.work.receive_bytes_per_second or 0.0
    is_pinned = loader is not None and loader.pin_memory
    pinned = loader_code(loader, pin_memory=True) if not is_pinned else ""
    return Finding(
        severity="warning" if wait.idle_ratio >= PHASE_WARNING_RATIO else "info",
        confidence="confirmed" if wait.copied_ratio >= COPIED_RATIO else "suspected",
        summary=Message(
            "GPU waits for copies {percent:.0f} % of the step, in the phase copy: {rate:.1f} GB/s from the host.",
            percent=100 * wait.idle_ratio,
            rate=received / wait.share.most_idle_ratio / 1e9,
        ),
        evidence={
            "host_in_copy_ratio": wait.share.host_ratio,
            "gpu_in_copy_ratio": wait.share.gpu_ratio,
            "host_to_device_bytes_per_second": received,
            "pageable_copy_bytes_per_second": pageable_rate(view.series),
            "busy_ratio": view.work.busy_ratio,
        },
        lost_ratio=wait.idle_ratio,
        advice=PINNED_ADVICE,
        refuted_by="Time the loop with one batch kept on the GPU: if it is no faster, copies are not the cause.",
        change=pinned + NON_BLOCKING_SNIPPET,
    )


def _by_traffic(view: View, wait: CopyWait | None) -> Finding | None:
    copying = copying_ratio(view)
    work, loader = view.work, view.loader
    for_host = loader.idle_for_host_ratio if loader else None
    if for_host is not None and for_host < HOST_RATIO:
        return None  # the loop waits for its loader, which is another rule's problem
    if copying is None:
        return _unknown(view) if may_be_copying(view) else None
    if copying < LOST_INFO_RATIO or work.busy_ratio >= BUSY_RATIO:
        return None
    received, sent = work.receive_bytes_per_second or 0.0, work.transmit_bytes_per_second or 0.0
    to_device = received >= sent
    is_elsewhere = (
        wait is not None and to_device
    )  # not in the phase copy, so the host does not wait for it there
    confirmed = loader and for_host is not None and not loader.pin_memory and not is_elsewhere
    pinned = loader_code(loader, pin_memory=True) if loader else ""
    return Finding(
        severity="warning" if copying >= LOST_WARNING_RATIO and not is_elsewhere else "info",
        confidence="confirmed" if confirmed else "suspected",
        summary=Message(
            "{rate:.1f} GB/s come from the host while the GPU is busy {percent:.0f} %: it waits for copies."
            if to_device
            else "{rate:.1f} GB/s go to the host while the GPU is busy {percent:.0f} %: it waits for copies.",
            rate=max(received, sent) / 1e9,
            percent=100 * work.busy_ratio,
        ),
        evidence={
            "host_to_device_bytes_per_second": received,
            "device_to_host_bytes_per_second": sent,
            "pageable_copy_bytes_per_second": pageable_rate(view.series),
            "copying_ratio": copying,
            "busy_ratio": work.busy_ratio,
        },
        lost_ratio=min(copying, work.idle_ratio),
        advice=PINNED_ADVICE
        if to_device
        else "Copy less to the host: keep sums and metrics on the GPU, and read them every hundred steps.",
        refuted_by="Time the loop with one batch kept on the GPU: if it is no faster, copies are not the cause.",
        change=pinned + NON_BLOCKING_SNIPPET if to_device else None,
    )


def _unknown(view: View) -> Finding:
    work = view.work
    return Finding(
        severity="info",
        confidence="suspected",
        summary=Message(
            "GPU busy {percent:.0f} %, PCIe traffic unknown: it may wait for copies.",
            percent=100 * work.busy_ratio,
        ),
        evidence={"busy_ratio": work.busy_ratio, "host_used_cores": work.host_cores},
        advice="Try pinned memory and asynchronous copies: pin_memory=True in the loader, .to(device, non_blocking=True).",
        refuted_by="Time the loop with one batch kept on the GPU: if it is no faster, copies are not the cause.",
        change=NON_BLOCKING_SNIPPET,
    )


class CopyWait(NamedTuple):
    """A device's waiting for the copies between a batch and the forward pass; false if it does not wait for them.

    Attributes
    ----------
    idle_ratio
        The share of a step in which it waits for them.
    copied_ratio
        The share of the phase that the copies take at their usual rate.
    """

    share: PhaseShare
    idle_ratio: float
    copied_ratio: float

    def __bool__(self) -> bool:
        return self.idle_ratio > 0


def copy_wait(view: View) -> CopyWait | None:
    """Return how long the device waits for copies before the forward pass; ``None`` if phase or PCIe traffic are unknown."""
    work, loader = view.work, view.loader
    share, received = shares_of(loader).get("copy"), work.receive_bytes_per_second
    if loader is None or share is None or share.gpu_ratio is None or received is None:
        return None
    held = share.most_idle_ratio
    rate = link_rate(view.series) if loader.pin_memory else pageable_rate(view.series)
    copied = min(1.0, received / rate / held) if held else 0.0
    idle = loader.idle_for_host_ratio
    idle = work.idle_ratio if idle is None else idle
    idle = min(held, idle + work.busy_error_ratio)
    is_cause = idle >= PHASE_INFO_RATIO and copied >= SLOWLY_COPIED_RATIO
    return CopyWait(share, idle if is_cause else 0.0, copied)


def may_be_copying(view: View) -> bool:
    """Return whether copies are as likely as launches: a waiting device, a busy host, and unknown PCIe traffic."""
    work, loader = view.work, view.loader
    share = shares_of(loader).get("copy")
    if share is not None and share.most_idle_ratio < PHASE_INFO_RATIO:
        return False
    if copying_ratio(view) is not None or work.busy_ratio >= BUSY_RATIO or is_host_idle(work):
        return False
    is_pinned = loader is not None and loader.pin_memory
    return not is_pinned and idle_pattern_of(work) in (IdlePattern.SHORT_GAPS, IdlePattern.UNKNOWN)


def copying_ratio(view: View) -> float | None:
    """Return the share of time that the copies take if they are pageable; ``None`` if the PCIe traffic is unknown."""
    work = view.work
    received, sent = work.receive_bytes_per_second, work.transmit_bytes_per_second
    if received is None or sent is None:
        return None  # the traffic of one direction alone proves nothing
    return min(1.0, max(received, sent) / pageable_rate(view.series))


def pageable_rate(series: ReadingSeries) -> float:
    """Return the rate of a copy from pageable memory, in bytes per second."""
    return min(PAGEABLE_BYTES_PER_SECOND, PAGEABLE_RATIO * link_rate(series))


def link_rate(series: ReadingSeries) -> float:
    """Return the rate of the PCIe link in one direction, in bytes per second."""
    # An idle link runs at a lower generation, so use the highest one among the readings.
    generation = max(
        series.values("pcie_link_generation"),
        default=series.last_known("pcie_link_max_generation") or USUAL_GENERATION,
    )
    lanes = (
        series.last_known("pcie_link_lanes")
        or series.last_known("pcie_link_max_lanes")
        or USUAL_LANES
    )
    per_lane = PCIE_LANE_BYTES_PER_SECOND
    return lanes * per_lane.get(round(generation), per_lane[USUAL_GENERATION])


RULE = Rule(
    code="transfer-bound",
    title="Waiting for copies",
    meaning="The GPU is idle while data is copied between it and the host.",
    decided_by=("pcie_receive_bytes_per_second", "pcie_transmit_bytes_per_second"),
    check=_check,
    is_of_loop=True,
)
