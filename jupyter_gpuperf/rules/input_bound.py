"""The device waits for the next batch."""

from __future__ import annotations

from jupyter_gpuperf.loaders.code_suggestions import WATCH, more_workers
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, Severity, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import LOST_WARNING_RATIO as COPYING_RATIO
from jupyter_gpuperf.rules.transfer_bound import copying_ratio
from jupyter_gpuperf.rules.waiting import Waiting, is_calm, kind_of_waiting
from jupyter_gpuperf.rules.workload import Workload
from jupyter_gpuperf.schemas.training import LoaderSteps

LOST_WARNING_RATIO = Threshold(
    0.15,
    reason="Of the steps' time, by the step clock. Worth a change of the loader.",
    margin="Enough workers 0.001 to 0.005; a loader that is a little slow 0.07; a starved one 0.28 to 0.94.",
)
LOST_INFO_RATIO = Threshold(
    0.05,
    reason="Below it, nothing is to be gained that a person would notice.",
    margin="Enough workers 0.005 and less.",
)
LOST_CRITICAL_RATIO = Threshold(
    0.5,
    reason="More than half of the time is spent waiting: the loader, not the device, is what is used.",
    margin="One JPEG worker 0.94.",
)
IDLE_RATIO = Threshold(
    0.35,
    reason="Of the time without any kernel, from the driver's readings. Below it, healthy loops in eager mode "
    "have that much launch overhead.",
    margin="Healthy language models in eager mode 0.12 to 0.25; a starved loader 0.84 and more.",
)
LOOP_BURSTS_PER_SECOND = Threshold(
    2.0,
    reason="While the machine rests, bursts that come faster than this come from a loop, not from a person.",
    margin="Not recorded yet: chosen between a person, once a second and slower, and a store of 12 ms an item, 5 batches a second.",
)
FED_BYTES_PER_SECOND = Threshold(
    80e6,
    reason="While the machine rests, that much data from the host is batches, not a person's calls.",
    margin="By arithmetic: a call with 64 images brings 39 MB, a store of 12 ms an item 200 MB/s.",
)
WORKERS_CORES = Threshold(
    1.8,
    reason="More than the one core that launches: somebody prepares data.",
    margin="Loops without workers 1.0; eight workers on data in memory 3.0.",
)
BATCHES_BYTES_PER_SECOND = Threshold(
    150e6,
    reason="Data in amounts that only batches have. Launches themselves send some 60 MB/s over PCIe.",
    margin="Without copies of data 0.01 to 0.07 GB/s; image batches in memory 1.5 GB/s.",
)


def _check(view: View) -> Finding | None:
    loader = view.loader
    return _suspected(view) if loader is None else _confirmed(view, loader)


def _confirmed(view: View, loader: LoaderSteps) -> Finding | None:
    known = loader.idle_for_data_ratio
    lost = loader.wait_ratio if known is None else known
    if lost < LOST_INFO_RATIO:
        return None
    loud: Severity = "critical" if lost >= LOST_CRITICAL_RATIO else "warning"
    return Finding(
        severity=loud if lost >= LOST_WARNING_RATIO else "info",
        summary=Message("The GPU waits for data {lost:.0%} of the time.", lost=lost)
        if known is not None
        else Message("The loop waits for its next batch {lost:.0%} of the time.", lost=lost),
        evidence={
            "wait_ratio": loader.wait_ratio,
            "idle_for_data_ratio": known,
            "step_seconds": loader.step_seconds,
            "workers_count": float(loader.num_workers),
            **_machine(view.work),
        },
        lost_ratio=lost,
        advice=_advice(view.work, loader),
        refuted_by="If the next batch is ready when the loop asks for it and the GPU still rests, the "
        "loader is not the cause.",
        change=more_workers(loader, view.work.host_cores_limit),
    )


def _suspected(view: View) -> Finding | None:
    work = view.work
    is_copying = (copying_ratio(view) or 0.0) >= COPYING_RATIO
    severity = _severity(work)
    if work.idle_ratio < IDLE_RATIO or is_copying or severity is None:
        return None
    return Finding(
        severity=severity,
        confidence="suspected",
        summary=_summary(work),
        evidence={**_pattern(work), **_machine(work)},
        lost_ratio=work.idle_ratio,
        advice=_advice(work, None),
        refuted_by="The step clock: if the loop hardly waits in next(), the GPU waits for something else.",
        change=WATCH,
    )


def _severity(work: Workload) -> Severity | None:
    received, written = (
        work.receive_bytes_per_second or 0.0,
        work.disk_write_bytes_per_second or 0.0,
    )
    match kind_of_waiting(work):
        case Waiting.RESTS:
            looping = work.bursts_per_second >= LOOP_BURSTS_PER_SECOND
            fed = received >= FED_BYTES_PER_SECOND
            return "warning" if not is_calm(work) or looping or fed else "info"
        case Waiting.STALLS:
            return None if written >= BATCHES_BYTES_PER_SECOND else "info"
        case Waiting.UNKNOWN:
            return "info"
        case Waiting.BETWEEN:
            prepared = work.host_cores is None or work.host_cores >= WORKERS_CORES
            return "info" if prepared or received >= BATCHES_BYTES_PER_SECOND else None
    return None


def _summary(work: Workload) -> str:
    idle = work.idle_ratio
    if kind_of_waiting(work) is Waiting.RESTS:
        if is_calm(work):
            return Message(
                "The GPU rests {idle:.0%} of the time, and so does the machine: nothing is "
                "asked of it, or a remote store is slow.",
                idle=idle,
            )
        if not work.rest_ratio:
            return Message(
                "The GPU works {idle:.0%} of the time, with kernels too large to be waiting "
                "for launches: it probably waits for data.",
                idle=1 - idle,
            )
        return Message(
            "The GPU rests {idle:.0%} of the time between bursts of work: it probably "
            "waits for data.",
            idle=idle,
        )
    return Message("The GPU rests {idle:.0%} of the time: it may wait for data.", idle=idle)


def _advice(work: Workload, loader: LoaderSteps | None) -> str:
    limit, cores = work.host_cores_limit, work.host_cores
    if limit is not None and cores is not None and cores >= 0.9 * limit:
        return Message(
            "All cores that may be used are at work: more workers would not help. Make each item cheaper: "
            "decode smaller images, cache what is decoded, or move the transforms to the GPU."
        )
    if (work.disk_read_bytes_per_second or 0.0) >= BATCHES_BYTES_PER_SECOND / 3:
        return Message(
            "Data is read from the disk meanwhile: keep it in memory or on a faster disk, or in fewer and "
            "larger files. More workers help as far as the disk can serve them."
        )
    if loader is not None and loader.num_workers == 0:
        return Message("Load in the background: give the DataLoader workers.")
    return Message(
        "Give the DataLoader more workers, as long as cores are free; then make each item cheaper to load."
    )


def _pattern(work: Workload) -> dict[str, float | None]:
    rests = {"resting_ratio": work.rest_ratio, "bursts_per_second": work.bursts_per_second}
    return {
        "busy_ratio": work.busy_ratio,
        # Infrequent readings cover several bursts each.
        **(rests if work.rest_ratio else {"filled_ratio": work.fill_ratio}),
        "host_to_device_bytes_per_second": work.receive_bytes_per_second,
    }


def _machine(work: Workload) -> dict[str, float | None]:
    return {
        "host_used_cores": work.host_cores,
        "host_limit_cores": work.host_cores_limit,
        "disk_read_bytes_per_second": work.disk_read_bytes_per_second,
    }


RULE = Rule(
    code="input-bound",
    title="Waiting for data",
    meaning="The GPU has nothing to do, because the next batch is not there yet.",
    check=_check,
    is_of_loop=True,
)
