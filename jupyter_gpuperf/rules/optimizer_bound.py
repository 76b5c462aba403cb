"""Detect that the optimizer takes much longer than a fused one would."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from jupyter_gpuperf.loaders.code_suggestions import fused_optimizer_code
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.host_idle import HostIdle, host_idle
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.step_phases import shares_of
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.schemas.phases import OptimizerInfo
from jupyter_gpuperf.schemas.training import LoopSteps

FUSED_SECONDS: Final = 60e-6
"""What a step of a fused optimizer takes the host at least, measured with AdamW on a slow CPU."""
FUSED_SECONDS_PER_TENSOR: Final = 5e-6
"""And for each tensor; launched for each tensor by itself, it took 35 to 70 µs."""

GAIN_WARNING_RATIO = Threshold(
    0.15,
    reason="Of a step: what the optimizer takes longer than a fused one needs on the host. One argument changes it.",
    margin="Not recorded yet. Calculated: 400 tensors of 200 small layers, one by one 0.5 to 0.7, in groups 0.1 to 0.2.",
)
GAIN_INFO_RATIO = Threshold(
    0.1,
    reason="Of a step, saved by a fused optimizer: below this, no user would notice.",
    margin="Not recorded yet. Calculated: ten tensors in groups, in steps of 2 ms, 0.07.",
)
IDLE_RATIO = Threshold(
    0.1,
    reason="If the device is not idle for its host, its kernels take the time, and not their launches.",
    margin="Launch-bound loops 0.45 and more; healthy language models in eager mode 0.12 to 0.25, and fused.",
)
PROVEN_RATIO = Threshold(
    0.05,
    reason="The device must have been idle in the optimizer: launches come evenly, so it stays idle until the end.",
    margin="Calculated from the other phases; the busy share is known to about 0.02.",
)
GPU_RATIO = Threshold(
    0.2,
    reason="Of a step, on a busy device: unfused, every operation reads and writes all states; fused, each is moved once.",
    margin="Calculated for AdamW: fused, a third of the traffic. Not recorded yet.",
)


class Unfused(NamedTuple):
    """An optimizer that is not fused, and could be.

    Attributes
    ----------
    gpu_ratio
        The share of a step that the device is in the optimizer, idle or not.
    gain_ratio
        The share of a step that a fused one would save on the host.
    """

    info: OptimizerInfo
    host_ratio: float
    gpu_ratio: float
    gain_ratio: float

    def is_main_cause(self, idle: HostIdle) -> bool:
        """Return whether it is the main reason why the device waits for its host."""
        gain = self.gain_ratio
        if gain < GAIN_INFO_RATIO or idle.ratio < IDLE_RATIO:
            return False
        return gain >= idle.ratio or (idle.main_phase == "optimizer" and gain >= 0.5 * idle.ratio)


def unfused_optimizer(loop: LoopSteps) -> Unfused | None:
    """Return the loop's optimizer if it could be fused and is not; ``None`` also if that or its time is unknown."""
    info, share = loop.optimizer, shares_of(loop).get("optimizer")
    if info is None or info.is_fused is not False or share is None or share.gpu_ratio is None:
        return None
    fused_seconds = FUSED_SECONDS + FUSED_SECONDS_PER_TENSOR * info.tensors_count
    gain = max(0.0, share.most_idle_ratio - fused_seconds / loop.step_seconds)
    return Unfused(info, share.host_ratio, share.gpu_ratio, gain)


def _check(view: View) -> Finding | None:
    loop = view.loop
    found = unfused_optimizer(loop) if loop else None
    if loop is None or found is None or view.is_held_up:
        return None
    idle = host_idle(view, loop)
    if found.is_main_cause(idle):
        return _on_host(view, loop, found, idle)
    is_long = found.gpu_ratio >= GPU_RATIO and idle.ratio < IDLE_RATIO
    return _on_gpu(view, loop, found) if is_long else None


_bound = partial(
    Finding,
    advice="Create the optimizer with fused=True, and without foreach: then a few kernels update all tensors.",
    refuted_by="Time some steps without optimizer.step(): if they take as long, the optimizer is not the cause.",
)


def _on_host(view: View, loop: LoopSteps, found: Unfused, idle: HostIdle) -> Finding:
    is_proven = idle.least_in("optimizer") >= PROVEN_RATIO
    return _bound(
        severity="warning" if found.gain_ratio >= GAIN_WARNING_RATIO else "info",
        confidence="confirmed" if is_proven else "suspected",
        summary=Message(
            "The optimizer takes {percent:.0f} % of the step: {optimizer} launches kernels for groups of its {count} tensors."
            if found.info.is_foreach
            else "The optimizer takes {percent:.0f} % of the step: {optimizer} launches kernels for each of its {count} tensors.",
            percent=100 * found.host_ratio,
            optimizer=found.info.class_name,
            count=found.info.tensors_count,
        ),
        evidence={**_figures(view, loop, found), "idle_for_host_ratio": idle.ratio},
        lost_ratio=found.gain_ratio,
        change=fused_optimizer_code(found.info.class_name) or None,
    )


def _on_gpu(view: View, loop: LoopSteps, found: Unfused) -> Finding:
    return _bound(
        severity="info",
        confidence="suspected",
        summary=Message(
            "The optimizer takes {percent:.0f} % of the GPU's time, and {optimizer} is not fused.",
            percent=100 * found.gpu_ratio,
            optimizer=found.info.class_name,
        ),
        evidence=_figures(view, loop, found),
        change=fused_optimizer_code(found.info.class_name) or None,
    )


def _figures(view: View, loop: LoopSteps, found: Unfused) -> dict[str, float | str | None]:
    return {
        "optimizer": found.info.class_name,
        "optimizer_tensors": f"{found.info.tensors_count}",
        "host_in_optimizer_ratio": found.host_ratio,
        "gpu_in_optimizer_ratio": found.gpu_ratio,
        "step_seconds": loop.step_seconds,
        "busy_ratio": view.work.busy_ratio,
    }


RULE = Rule(
    code="optimizer-bound",
    title="Slow optimizer",
    meaning="The optimizer's step takes a large part of the time, since it launches many kernels where a fused one needs few.",
    check=_check,
    is_of_loop=True,
)
