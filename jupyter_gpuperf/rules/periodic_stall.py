"""Detect stalls of a second or more between phases of full speed: checkpoints, evaluation, restarting workers."""

from __future__ import annotations

from statistics import median
from typing import Final

from jupyter_gpuperf.loaders.code_suggestions import WATCH_SNIPPET, loader_code
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.idle_patterns import (
    STALL_SECONDS,
    is_host_idle,
    is_stalling,
    may_be_stalling,
    stalls_of,
    usual_run_seconds,
)
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.workload import Workload
from jupyter_gpuperf.schemas.training import LoopSteps

LOST_WARNING_RATIO = Threshold(
    0.1,
    reason="Of the time: worth a change. A checkpoint of 2 s every minute costs 3 %.",
    margin="A checkpoint of 1.6 GB every 2 s 0.7.",
)
WRITING_BYTES_PER_SECOND = Threshold(
    20e6,
    reason="Mean over all the time: a model saved again and again. Logs write less.",
    margin="A checkpoint of 1.6 GB every 4 s 400 MB/s; an idle host below 1 MB/s.",
)
SENDING_BYTES_PER_SECOND = Threshold(
    100e6,
    reason="Mean from device to host: weights being saved. Training sends about 10 MB/s of acknowledgements.",
    margin="A checkpoint of 1.6 GB every 4 s 500 MB/s; training 10 to 100 MB/s.",
)

LOOK_ADVICE: Final = Message(
    "Check what the loop does every few seconds: saving, evaluation, logging, or DataLoader workers that restart each "
    "epoch (persistent_workers=True keeps them)."
)


def _check(view: View) -> Finding | None:
    work = view.work
    written, sent = work.disk_write_bytes_per_second or 0.0, work.transmit_bytes_per_second or 0.0
    writes = written >= WRITING_BYTES_PER_SECOND or sent >= SENDING_BYTES_PER_SECOND
    is_measured = has_long_steps(view.loop)
    if is_stalling(work):
        # An idle host can mean that a person looks at results between two calls; that is only a note.
        is_certain = writes or bool(is_measured) or not is_host_idle(work)
        return _stalling(view, writes=writes, is_certain=is_certain)
    if not may_be_stalling(work) or is_measured is False:
        return None
    is_certain = writes or bool(is_measured)
    return _stalling(view, writes=writes, is_certain=True) if is_certain else _open(view)


def _stalling(view: View, *, writes: bool, is_certain: bool) -> Finding:
    work, loader = view.work, view.loader
    stalls = stalls_of(work)
    stall_seconds = median(stalls)
    lost = sum(stalls) / view.series.seconds  # never 0: the series contains stalls
    period = stall_seconds + usual_run_seconds(work)
    is_restarting = loader and loader.num_workers and not loader.persistent_workers and not writes
    return Finding(
        severity="warning" if lost >= LOST_WARNING_RATIO and is_certain else "info",
        confidence="suspected",
        summary=Message(
            "GPU stalls {stall:.1f} s about every {period:.0f} s while data leaves it or is written to disk."
            if writes
            else "GPU stalls {stall:.1f} s about every {period:.0f} s: a checkpoint, evaluation, or empty loader.",
            stall=stall_seconds,
            period=period,
        ),
        evidence={
            "stalls_count": float(len(stalls)),
            "stall_seconds": stall_seconds,
            "period_seconds": period,
            "lost_ratio": lost,
            **_host(work),
        },
        lost_ratio=min(1.0, lost),
        advice="Save checkpoints less often, or in a thread: copy the weights to pinned memory and write them during "
        "training."
        if writes
        else LOOK_ADVICE,
        refuted_by="Skip the suspected work for a minute: if the stalls remain, the cause is something else.",
        change=loader_code(loader, persistent_workers=True) if loader and is_restarting else None,
    )


def _open(view: View) -> Finding:
    """Return a note without figures of the stalls: the readings leave out too much of the time to measure them."""
    work = view.work
    return Finding(
        severity="info",
        confidence="suspected",
        summary=Message(
            "GPU idle in {percent:.0f} % of the readings: stalls of seconds, or short waits in each step.",
            percent=100 * work.idle_readings_ratio,
        ),
        evidence={"idle_readings_ratio": work.idle_readings_ratio, **_host(work)},
        lost_ratio=work.idle_ratio,
        advice=LOOK_ADVICE,
        refuted_by="Run the step clock: if no step takes long, the waits are short.",
        change=WATCH_SNIPPET,
    )


def _host(work: Workload) -> dict[str, float | None]:
    return {
        "disk_write_bytes_per_second": work.disk_write_bytes_per_second,
        "device_to_host_bytes_per_second": work.transmit_bytes_per_second,
        "host_used_cores": work.host_cores,
    }


def has_long_steps(loop: LoopSteps | None) -> bool | None:
    """Return whether the step clock measured some steps as long as a stall; ``None`` without a step clock."""
    if loop is None or not loop.bins:
        return None
    long_count = sum(each.count for each in loop.bins if each.low_seconds >= STALL_SECONDS)
    return 2 <= long_count <= loop.count / 2


RULE = Rule(
    code="periodic-stall",
    title="Regular stalls",
    meaning="The GPU works at full speed, then stops for a second or more, again and again.",
    check=_check,
    horizon="long",
    is_of_loop=True,
)
