"""Detect that a device waits for the host to launch GPU kernels."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.loaders.code_suggestions import (
    FEWER_LAUNCHES_SNIPPET,
    PROFILE_SNIPPET,
    WATCH_SNIPPET,
    fused_optimizer_code,
)
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.host_idle import HostIdle, host_idle
from jupyter_gpuperf.rules.host_place import evidence_of, place_of, with_place
from jupyter_gpuperf.rules.idle_patterns import (
    NO_TRAFFIC_RATIO,
    IdlePattern,
    idle_pattern_of,
    is_host_idle,
)
from jupyter_gpuperf.rules.optimizer_bound import GAIN_INFO_RATIO, unfused_optimizer
from jupyter_gpuperf.rules.own_code import idle_own_code
from jupyter_gpuperf.rules.rule import Finding, Rule, Severity, View
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import LOST_WARNING_RATIO as COPYING_RATIO
from jupyter_gpuperf.rules.transfer_bound import copy_wait, copying_ratio, may_be_copying
from jupyter_gpuperf.rules.workload import Workload
from jupyter_gpuperf.schemas.training import LoopSteps

BUSY_WARNING_RATIO = Threshold(
    0.6,
    reason="Below this, compiling or a larger batch can gain about as much speed again.",
    margin="Healthy language models in eager mode 0.75 to 0.88; host-bound loops 0.10 to 0.55.",
)
BUSY_INFO_RATIO = Threshold(
    0.75,
    reason="Usual for eager mode on a fast chip: some speed to gain, but no fault.",
    margin="Healthy language models in eager mode 0.75 to 0.88.",
)
LOST_WARNING_RATIO = Threshold(
    0.3,
    reason="Of the steps' time, by the step clock: idle, but not for data.",
    margin="Data in memory, eight workers 0.44; JPEG, fourteen workers 0.32; waiting for a slow store 0.06.",
)
LOST_INFO_RATIO = Threshold(
    0.15, reason="Usual for eager mode on fast chips.", margin="Language models 0.12 to 0.25."
)
NO_FILL_RATIO = Threshold(
    0.03,
    reason="Kernels this small are pure launch overhead, whatever is copied.",
    margin="A small MLP 0.01; copies from the host 0.10.",
)

ADVICE: Final = (
    "Launch less: torch.compile or CUDA graphs, larger batches, no .item(), .cpu() or printing of tensors in "
    "the loop. More workers won't help."
)
BETWEEN_ADVICE: Final = (
    "Between the passes, a loop logs, saves, evaluates or clips gradients. Log and save every hundred steps, and "
    "without .item(), .cpu() or printing of tensors."
)
CALLS_ADVICE: Final = (
    "Between the calls of the model, a loop prepares its input and handles its output. Do either in another thread or "
    "less often, and read the output without .item(), .cpu() or printing of tensors."
)
NO_LOOP: Final = HostIdle(0.0, {})

_bound = partial(
    Finding,
    refuted_by="Double the batch size: if a step takes twice as long, the GPU is the limit; if not, the host is.",
)


def _check(view: View) -> Finding | None:
    is_copying = (copying_ratio(view) or 0.0) >= COPYING_RATIO and view.work.idle_ratio > 0.35
    if is_copying and copy_wait(view) is None:
        return None  # the host waits for copies, which keeps a core as busy as launching does
    if view.is_held_up:
        return None  # the device waits for another rank
    loop, own = view.loop, idle_own_code(view)
    idle = host_idle(view, loop) if loop else NO_LOOP
    unfused = unfused_optimizer(loop) if loop else None
    if unfused is not None and unfused.is_main_cause(idle):
        return None
    is_bounded = own is not None and own.is_all
    if loop is not None and (view.loader is not None or is_bounded):
        return _confirmed(view, loop, idle, is_bounded=is_bounded)
    # At most what is left once the rest is known.
    own_ratio = own.idle_ratio if own is not None else 0.0
    is_explained = view.work.idle_ratio - own_ratio < LOST_INFO_RATIO
    return None if is_explained else _suspected(view, idle)


def _confirmed(view: View, loop: LoopSteps, idle: HostIdle, *, is_bounded: bool) -> Finding | None:
    lost, is_open = idle.ratio, may_be_copying(view)
    if lost < LOST_INFO_RATIO:
        return None
    is_measured = loop.idle_for_host_ratio is not None or (
        is_bounded and loop.bounded_by != "loader"
    )
    place = place_of(loop, idle)
    is_between = place is not None and place.phase == "other" and place.is_most
    return _bound(
        severity="warning" if lost >= LOST_WARNING_RATIO else "info",
        confidence="confirmed" if is_measured and not is_open else "suspected",
        summary=with_place(
            Message(
                "GPU waits for the host {percent:.0f} % of the time: for launches or copies."
                if is_open
                else "GPU waits for the host {percent:.0f} % of the time."
                if is_between
                else "GPU waits for launches {percent:.0f} % of the time.",
                percent=100 * lost,
            ),
            place,
        ),
        evidence={
            "idle_for_host_ratio": lost,
            "wait_ratio": loop.wait_ratio,
            "step_seconds": loop.step_seconds,
            **evidence_of(place),
            **_figures(view.work),
        },
        lost_ratio=lost,
        advice=ADVICE
        if not is_between
        else CALLS_ADVICE
        if loop.bounded_by == "module"
        else BETWEEN_ADVICE,
        change=None if is_between else FEWER_LAUNCHES_SNIPPET + _fused_code(loop),
    )


def _fused_code(loop: LoopSteps) -> str:
    found = unfused_optimizer(loop)
    is_worth_it = found is not None and found.gain_ratio >= GAIN_INFO_RATIO
    return fused_optimizer_code(found.info.class_name) if found and is_worth_it else ""


def _suspected(view: View, idle: HostIdle) -> Finding | None:
    work, severity = view.work, _severity(view)
    if severity is None:
        return None
    place = place_of(view.loop, idle) if view.loop else None
    return _bound(
        severity=severity,
        confidence="suspected",
        summary=with_place(
            Message(
                "GPU busy {percent:.0f} % with tiny kernels: the host launches them too slowly."
                if idle_pattern_of(work) is IdlePattern.LAUNCHES
                else "GPU busy {percent:.0f} % with short gaps: the host launches work too slowly.",
                percent=100 * work.busy_ratio,
            ),
            place,
        ),
        evidence={**evidence_of(place), **_figures(work)},
        advice=ADVICE,
        lost_ratio=work.idle_ratio,
        change=PROFILE_SNIPPET if view.loop else WATCH_SNIPPET,
    )


def _severity(view: View) -> Severity | None:
    work, waiting = view.work, idle_pattern_of(view.work)
    if work.busy_ratio >= BUSY_INFO_RATIO:
        return None
    if waiting is IdlePattern.UNKNOWN:
        return "info"
    if waiting not in (IdlePattern.LAUNCHES, IdlePattern.SHORT_GAPS) or is_host_idle(work):
        return None  # not launch-bound: a program that launches all the time keeps a core busy
    if work.busy_ratio >= BUSY_WARNING_RATIO:
        return "info"
    if work.fill_ratio is not None:
        tiny = work.fill_ratio < NO_FILL_RATIO
    else:
        tiny = work.traffic_ratio is not None and work.traffic_ratio < NO_TRAFFIC_RATIO
    # Without PCIe readings, only a note: copies keep the host as busy as launching does.
    return "warning" if tiny or copying_ratio(view) is not None else "info"


def _figures(work: Workload) -> dict[str, float | None]:
    return {
        "busy_ratio": work.busy_ratio,
        "filled_ratio": work.fill_ratio,
        "host_used_cores": work.host_cores,
        "host_to_device_bytes_per_second": work.receive_bytes_per_second,
    }


RULE = Rule(
    code="launch-bound",
    title="Waiting for launches",
    meaning="The GPU runs kernels faster than the host launches them: slow Python, small kernels, or synchronisation.",
    check=_check,
    is_of_loop=True,
)
