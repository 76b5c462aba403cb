"""Measure how long a device is idle while the host prepares a loop's batches, in a function such as ``get_batch()``."""

from __future__ import annotations

from typing import Final, NamedTuple

from jupyter_gpuperf.rules.rule import View
from jupyter_gpuperf.rules.step_phases import shares_of
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.transfer_bound import copy_wait
from jupyter_gpuperf.schemas.phases import HostLine
from jupyter_gpuperf.schemas.training import LoopSteps

LOOKS_ERROR_RATIO = Threshold(
    0.1,
    reason="Two standard errors of a share that is known from about a hundred looks at the stack.",
    margin="Calculated.",
)

OTHERS_RATIO = Threshold(
    0.15,
    reason="If the host is in other code of the loop's own for longer, that may be what the device waits for.",
    margin="nanoGPT apart from get_batch 0.05 and less.",
)

CELL: Final = "<module>"
"""What Python calls the code of a cell or a script."""


class OwnCode(NamedTuple):
    """A function of the user's in which the device is idle.

    Attributes
    ----------
    idle_ratio
        The share of time in which the device is idle in it; if not ``is_bounded``, the least that follows from both shares.
    is_bounded
        Whether its calls are bounded by CUDA events.
    is_all
        Whether, in addition, the host is hardly ever in other code of the loop's own.
    """

    line: HostLine
    idle_ratio: float
    is_bounded: bool
    is_all: bool = False


def idle_own_code(view: View) -> OwnCode | None:
    """Return the function in which the host is most of the time apart from the passes; ``None`` if none is known.

    A copy that the function queues is part of its time. So that time is limited to what the driver reports as idle.
    """
    loop = view.loop
    if loop is None or not loop.host_lines:
        return None
    line = max(loop.host_lines, key=lambda each: each.ratio)
    others = sum(each.ratio for each in loop.host_lines if each is not line)
    idle = view.work.idle_ratio - (loop.idle_for_data_ratio or 0.0)
    if line.is_bounded and (bounded := _idle_between_events(loop)) is not None:
        lost = max(0.0, min(bounded, idle + view.work.busy_error_ratio))
        return OwnCode(line, lost, is_bounded=True, is_all=others <= OTHERS_RATIO)
    if _is_after_passes(view.loader, line):
        return None
    # Two shares that add up to more than the whole overlap at least by the rest; a copy may be what the line waits for.
    wait = copy_wait(view)
    idle -= LOOKS_ERROR_RATIO + view.work.busy_error_ratio + (wait.idle_ratio if wait else 0.0)
    return OwnCode(line, max(0.0, line.ratio + idle - 1.0), is_bounded=False)


def _is_after_passes(loader: LoopSteps | None, line: HostLine) -> bool:
    """Return whether a line prepares no batch, as the loader does that, and the line's time is apart from the passes."""
    shares = shares_of(loader)
    if "other" not in shares:
        return False
    before = shares["copy"].host_ratio if "copy" in shares else 0.0
    return shares["other"].host_ratio >= max(before, line.ratio - LOOKS_ERROR_RATIO)


def _idle_between_events(loop: LoopSteps) -> float | None:
    data = (loop.phases or {}).get("data")
    if data is None or data.gpu_idle_seconds is None:
        return None
    return data.gpu_idle_seconds / loop.step_seconds - (loop.idle_for_data_ratio or 0.0)
