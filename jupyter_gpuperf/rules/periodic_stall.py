"""Full work alternates with stalls of seconds: checkpoints, evaluation, restarting workers."""

from __future__ import annotations

from statistics import median

from jupyter_gpuperf.loaders.code_suggestions import loader_code
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.waiting import is_calm, is_stalling, stalls_of, usual_run_seconds
from jupyter_gpuperf.rules.workload import Workload

LOST_WARNING_RATIO = Threshold(
    0.1,
    reason="Of the time: worth a change. A checkpoint of 2 s every minute costs 3 %.",
    margin="A checkpoint of 1.6 GB every 2 s 0.7.",
)
WRITING_BYTES_PER_SECOND = Threshold(
    20e6,
    reason="Over the whole time: a model that is saved again and again; logs write less.",
    margin="A checkpoint of 1.6 GB every 4 s 400 MB/s; a machine at rest below 1 MB/s.",
)
SENDING_BYTES_PER_SECOND = Threshold(
    100e6,
    reason="From the device to the host, over the whole time: weights on their way to a file. Training sends "
    "some 10 MB/s of acknowledgements.",
    margin="A checkpoint of 1.6 GB every 4 s 500 MB/s; training 10 to 100 MB/s.",
)


def _check(view: View) -> Finding | None:
    work = view.work
    if not is_stalling(work):
        return None
    stalls = stalls_of(work)
    lost = sum(stalls) / view.series.seconds  # never 0: the series contains stalls
    period = median(stalls) + usual_run_seconds(work)
    loader, writes = view.loader, _writes(work)
    return Finding(
        # A person who looks at results between two calls does not stall anything.
        severity="warning"
        if lost >= LOST_WARNING_RATIO and (writes or not is_calm(work))
        else "info",
        confidence="suspected",
        summary=Message(
            "The GPU stalls for {stalls:.1f} s about every {period:.0f} s: {writes}.",
            stalls=median(stalls),
            period=period,
            writes=_cause(writes),
        ),
        evidence={
            "stalls_count": float(len(stalls)),
            "stall_seconds": median(stalls),
            "period_seconds": period,
            "lost_ratio": lost,
            "disk_write_bytes_per_second": work.disk_write_bytes_per_second,
            "device_to_host_bytes_per_second": work.transmit_bytes_per_second,
            "host_used_cores": work.host_cores,
        },
        lost_ratio=min(1.0, lost),
        advice="Save checkpoints less often, or from a thread: copy the weights to pinned memory, and write "
        "them while training goes on."
        if writes
        else "See what the loop does every few seconds: saving, evaluating, logging, or DataLoader workers "
        "that start anew each epoch (persistent_workers=True keeps them).",
        refuted_by="Leave out what happens in the stall for a minute: if the stalls stay, it is something "
        "else.",
        change=loader_code(loader, persistent_workers=True)
        if loader and loader.num_workers and not loader.persistent_workers and not writes
        else None,
    )


def _writes(work: Workload) -> bool:
    return (work.disk_write_bytes_per_second or 0.0) >= WRITING_BYTES_PER_SECOND or (
        work.transmit_bytes_per_second or 0.0
    ) >= SENDING_BYTES_PER_SECOND


def _cause(writes: bool) -> str:
    if writes:
        return Message("data leaves the GPU or is written to disk meanwhile, as for a checkpoint")
    return Message("a checkpoint, an evaluation, or a loader that runs empty")


RULE = Rule(
    code="periodic-stall",
    title="Regular stalls",
    meaning="The GPU works at full pace, then rests for a second or more, again and again.",
    check=_check,
    horizon="long",
    is_of_loop=True,
)
