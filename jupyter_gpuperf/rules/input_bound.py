"""Detect that a device waits for the next batch."""

from __future__ import annotations

from jupyter_gpuperf.loaders.code_suggestions import (
    PROFILE_SNIPPET,
    WATCH_SNIPPET,
    more_workers_code,
)
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.idle_patterns import (
    IdlePattern,
    are_gaps_short,
    idle_pattern_of,
    is_host_idle,
)
from jupyter_gpuperf.rules.own_code import CELL, idle_own_code
from jupyter_gpuperf.rules.rule import Finding, Rule, Severity, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import LOST_WARNING_RATIO as COPYING_RATIO
from jupyter_gpuperf.rules.transfer_bound import copying_ratio
from jupyter_gpuperf.rules.workload import Workload
from jupyter_gpuperf.schemas.phases import HostLine
from jupyter_gpuperf.schemas.training import LoopSteps

LOST_WARNING_RATIO = Threshold(
    0.15,
    reason="Of the steps' time, by the step clock. Worth changing the DataLoader.",
    margin="Enough workers 0.001 to 0.005; a slightly slow DataLoader 0.07; a starved GPU 0.28 to 0.94.",
)
LOST_INFO_RATIO = Threshold(
    0.05, reason="Below this, no user would notice a gain.", margin="Enough workers 0.005 and less."
)
LOST_CRITICAL_RATIO = Threshold(
    0.5, reason="More than half of the time is spent on waiting.", margin="One JPEG worker 0.94."
)
IDLE_RATIO = Threshold(
    0.35,
    reason="Time without any kernel, by the driver. Healthy loops in eager mode idle less, due to launch overhead.",
    margin="Healthy language models in eager mode 0.12 to 0.25; starved by a DataLoader 0.84 and more.",
)
LOOP_BURSTS_PER_SECOND = Threshold(
    2.0,
    reason="If the host is idle, faster bursts come from a loop, not from a person.",
    margin="Not recorded yet. A person: one per second or slower; a store with 12 ms per item: 5 batches per second.",
)
FED_BYTES_PER_SECOND = Threshold(
    80e6,
    reason="If the host is idle, this much data from it is batches, not a person's calls.",
    margin="Calculated: a call with 64 images 39 MB; a store with 12 ms per item 200 MB/s.",
)
WORKERS_CORES = Threshold(
    1.8,
    reason="More than the core that launches kernels: something prepares data.",
    margin="Loops without workers 1.0; eight workers on data in memory 3.0.",
)
BATCHES_BYTES_PER_SECOND = Threshold(
    150e6,
    reason="Only batches transfer this much data. Launches themselves send about 60 MB/s over PCIe.",
    margin="Without copies of data 0.01 to 0.07 GB/s; image batches in memory 1.5 GB/s.",
)


def _check(view: View) -> Finding | None:
    measured = [_in_own_code(view)]
    if view.loader is not None:
        measured.append(_confirmed(view, view.loader))
    found = [each for each in measured if each is not None]
    if found:
        return max(found, key=lambda each: each.lost_ratio or 0.0)
    own = idle_own_code(view)
    is_refuted = view.loader is not None or (own is not None and own.is_all)
    return None if is_refuted else _suspected(view)


def _confirmed(view: View, loader: LoopSteps) -> Finding | None:
    measured, waited = loader.idle_for_data_ratio, loader.wait_ratio
    lost = measured
    if lost is None and waited is not None:  # the device may have queued work
        lost = min(waited, view.work.idle_ratio + view.work.busy_error_ratio)
    if lost is None or lost < LOST_INFO_RATIO:
        return None
    return Finding(
        severity=_severity_of(lost),
        summary=Message(
            "The loop waits for batches {percent:.0f} % of the time."
            if measured is None
            else "GPU waits for data {percent:.0f} % of the time.",
            percent=100 * ((waited or 0.0) if measured is None else measured),
        ),
        evidence={
            "wait_ratio": waited,
            "idle_for_data_ratio": measured,
            "step_seconds": loader.step_seconds,
            "workers_count": float(loader.num_workers),
            **_host(view.work),
        },
        lost_ratio=lost,
        advice=_advice(view.work, loader),
        refuted_by="If the next batch is always ready but the GPU is still idle, the loader is not the cause.",
        change=more_workers_code(loader, view.work.host_cores_limit),
    )


def _in_own_code(view: View) -> Finding | None:
    own, loop = idle_own_code(view), view.loop
    if own is None or loop is None or own.idle_ratio < LOST_INFO_RATIO:
        return None
    line, template = own.line, "GPU idle {percent:.0f} % of the step: {function}, line {line}."
    if line.function == CELL:
        template = "GPU idle at least {percent:.0f} % of the step in line {line} of the loop."
    elif not own.is_bounded:
        template = "GPU idle at least {percent:.0f} % of the step in {function}, line {line}."
    return Finding(
        severity=_severity_of(own.idle_ratio),
        summary=Message(
            template, percent=100 * own.idle_ratio, function=line.function, line=line.line
        ),
        evidence={
            "idle_in_function_ratio": own.idle_ratio,
            "host_in_function_ratio": line.ratio,
            "file": line.file,
            "step_seconds": loop.step_seconds,
            "busy_ratio": view.work.busy_ratio,
            **_host(view.work),
        },
        lost_ratio=own.idle_ratio,
        advice=Message(
            "If it prepares data, do that in the background: in the workers of a DataLoader, or in a thread, and copy "
            "from pinned memory with non_blocking=True. If it logs or saves, do that less often."
        ),
        refuted_by="Call it once, before the loop: if a step takes as long, it is not the cause.",
        change=None if own.is_bounded else PROFILE_SNIPPET,
    )


def _severity_of(lost: float) -> Severity:
    loud: Severity = "critical" if lost >= LOST_CRITICAL_RATIO else "warning"
    return loud if lost >= LOST_WARNING_RATIO else "info"


def _suspected(view: View) -> Finding | None:
    work = view.work
    is_copying = (copying_ratio(view) or 0.0) >= COPYING_RATIO
    severity = _severity(work)
    if work.idle_ratio < IDLE_RATIO or is_copying or severity is None:
        return None
    pattern = {"idle_readings_ratio": work.idle_readings_ratio}
    if not work.is_sampled:  # otherwise the readings miss most bursts
        pattern["bursts_per_second"] = work.bursts_per_second
    return Finding(
        severity=severity,
        confidence="suspected",
        summary=_summary(work),
        evidence={
            "busy_ratio": work.busy_ratio,
            # If no reading is idle, each covers several bursts, and the pattern would be wrong.
            **(pattern if work.idle_readings_ratio else {"filled_ratio": work.fill_ratio}),
            "host_to_device_bytes_per_second": work.receive_bytes_per_second,
            **(
                {"function": _name(view.loop.host_lines[0])}
                if view.loop and view.loop.host_lines
                else {}
            ),
            **_host(work),
        },
        lost_ratio=work.idle_ratio,
        advice=_advice(work, None),
        refuted_by="Run the step clock: if the loop hardly waits in next(), the GPU waits for something else.",
        change=PROFILE_SNIPPET if view.loop else WATCH_SNIPPET,
    )


def _name(line: HostLine) -> str:
    return f"{line.function}, line {line.line}"


def _severity(work: Workload) -> Severity | None:
    received = work.receive_bytes_per_second
    match idle_pattern_of(work):
        case IdlePattern.IDLE_GAPS:
            is_fed = received is not None and received >= FED_BYTES_PER_SECOND
            return "warning" if is_fed or _is_loading(work) else "info"
        case IdlePattern.STALLS:
            written = work.disk_write_bytes_per_second or 0.0
            return None if written >= BATCHES_BYTES_PER_SECOND else "info"
        case IdlePattern.GLIMPSES:
            return None if is_host_idle(work) else "info"
        case IdlePattern.UNKNOWN:
            return "info"
        case IdlePattern.SHORT_GAPS:
            is_prepared = work.host_cores is None or work.host_cores >= WORKERS_CORES
            has_batches = received is None or received >= BATCHES_BYTES_PER_SECOND
            return "info" if is_prepared or has_batches else None
    return None


def _is_loading(work: Workload) -> bool:
    """Return whether the host prepares data in the device's idle gaps."""
    written = work.disk_write_bytes_per_second or 0.0
    is_saving = work.is_sampled and written >= BATCHES_BYTES_PER_SECOND
    if is_saving or not are_gaps_short(work):
        # One busy core may also write a checkpoint; only several prepare data.
        return work.host_cores is not None and work.host_cores >= WORKERS_CORES
    return not is_host_idle(work) or work.bursts_per_second >= LOOP_BURSTS_PER_SECOND


def _summary(work: Workload) -> str:
    if idle_pattern_of(work) is not IdlePattern.IDLE_GAPS:
        template = "GPU idle {idle:.0f} %: possibly waiting for data."
    elif is_host_idle(work):
        template = "GPU idle {idle:.0f} %, host idle too: no work, or a slow remote store."
    elif work.idle_readings_ratio:
        template = "GPU idle {idle:.0f} % between bursts: probably waiting for data."
    else:
        template = "GPU busy {busy:.0f} %: probably waiting for data."
    return Message(template, idle=100 * work.idle_ratio, busy=100 - 100 * work.idle_ratio)


def _advice(work: Workload, loader: LoopSteps | None) -> str:
    limit, cores = work.host_cores_limit, work.host_cores
    if limit is not None and cores is not None and cores >= 0.9 * limit:
        return Message(
            "All available cores are busy, so more workers won't help. Make items cheaper: decode smaller images, "
            "cache decoded items, or move transforms to the GPU."
        )
    if (work.disk_read_bytes_per_second or 0.0) >= BATCHES_BYTES_PER_SECOND / 3:
        return Message(
            "Data is read from disk. Keep it in memory, on a faster disk, or in fewer, larger files. "
            "More workers help until the disk is saturated."
        )
    if loader is not None and loader.num_workers == 0:
        return Message("Load in the background: set num_workers of the DataLoader.")
    return Message("Use more DataLoader workers while cores are free; then make items cheaper.")


def _host(work: Workload) -> dict[str, float | None]:
    return {
        "host_used_cores": work.host_cores,
        "host_limit_cores": work.host_cores_limit,
        "disk_read_bytes_per_second": work.disk_read_bytes_per_second,
    }


RULE = Rule(
    code="input-bound",
    title="Waiting for data",
    meaning="The GPU is idle because the next batch isn't ready.",
    check=_check,
    is_of_loop=True,
)
