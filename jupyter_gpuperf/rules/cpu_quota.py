"""Detect that the container's CPU quota is used up."""

from __future__ import annotations

from jupyter_gpuperf.loaders.code_suggestions import loader_code
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

THROTTLED_RATIO = Threshold(
    0.1,
    reason="Seconds of waiting per second, over all throttled threads. A short burst causes a few thousandths.",
    margin="Without a quota exactly 0; a starved container has not been recorded yet.",
)
USED_RATIO = Threshold(
    0.8,
    reason="Of the quota: threads can be throttled within a period although the mean is below it.",
    margin="A launch-bound loop on 16 cores 0.06; a starved container has not been recorded yet.",
)
IDLE_RATIO = Threshold(
    0.25,
    reason="If the device is busy anyway, the quota costs nothing.",
    margin="Starved devices 0.5 and more; healthy language models in eager mode 0.12 to 0.25.",
)


def _check(view: View) -> Finding | None:
    work, loader = view.work, view.loader
    throttled = view.host_series.mean("host_cpu_throttled_ratio")
    limit, used = work.host_cores_limit, work.host_cores
    if throttled is None or limit is None or used is None:
        return None
    if throttled < THROTTLED_RATIO or used < USED_RATIO * limit:
        return None
    costs = work.idle_ratio >= IDLE_RATIO
    threads = float(loader.num_workers * (loader.worker_threads or 1)) if loader else None
    return Finding(
        severity="warning" if costs else "info",
        confidence="confirmed" if loader else "suspected",
        summary=Message(
            "CPU limit of {limit:.1f} cores used up: threads waited {throttled:.1f} s per second; GPU idle {percent:.0f} %.",
            limit=limit,
            throttled=throttled,
            percent=100 * work.idle_ratio,
        ),
        evidence={
            "host_limit_cores": limit,
            "host_used_cores": used,
            "throttled_ratio": throttled,
            "busy_ratio": work.busy_ratio,
            "worker_threads_count": threads,
        },
        lost_ratio=work.idle_ratio if costs else None,
        advice="Use fewer workers and threads than the limit has cores, with one thread per worker "
        "(torch.set_num_threads(1), cv2.setNumThreads(1)). Or request more CPU.",
        refuted_by="Halve the number of workers: if the GPU is no busier, the CPU limit is not the cause.",
        change=loader_code(loader, num_workers=max(1, int(limit) - 1)) if loader else None,
    )


RULE = Rule(
    code="cpu-quota",
    title="CPU limit used up",
    meaning="The container's CPU quota throttles its threads, often DataLoader workers.",
    check=_check,
    is_of_loop=True,
)
