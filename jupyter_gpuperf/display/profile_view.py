"""Show the profile of a few steps below the cell that runs the loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from IPython.display import display

from jupyter_gpuperf.display.blocks import Block, Line, Table
from jupyter_gpuperf.display.document import Displayed, Sentence
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.profile_window import ProfileWindow
from jupyter_gpuperf.loops.step_profile import ProfileEntry, StepProfile
from jupyter_gpuperf.messages import Message

LONGEST_NAME = 70


def profile_next_steps(watching: LoopWatch, steps: int) -> None:
    """Profile the next steps of a watched loop and show the result.

    Raises
    ------
    BadRequest
        ``nothing_watched``: no loop is watched, so there are no steps to profile.
    """
    torch = sys.modules.get("torch")
    if not watching.patch.applied or torch is None:
        message = "No torch loop is watched, so there are no steps to profile."
        hint = "Run %gpuwatch on and import torch, then try again."
        raise BadRequest("nothing_watched", message, hint)

    watching.observe(ProfileWindow(torch, steps, _show, lambda: watching.observe(None)))


def _show(explanation: StepProfile | None, reason: str) -> None:
    failure = Message("The steps could not be profiled: {reason}.", reason=reason)
    display(Sentence(failure) if explanation is None else ProfileView(explanation))


class ProfileView(Displayed):
    """The notebook view of a profile.

    Attributes
    ----------
    data
        All figures, in seconds per step.
    """

    def __init__(self, data: StepProfile) -> None:
        self.data = data

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        return asdict(self.data)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield the rows: label, share of a step, and details."""
        data, of_step, plain = self.data, self._of_step, ""
        if data.plain_step_seconds is not None:
            plain = Message("{time} without the profiler", time=_time(data.plain_step_seconds))
        yield Message("step, profiled"), _time(data.step_seconds), plain
        if data.wait_seconds is not None:
            yield Message("wait for data"), of_step(data.wait_seconds), Message("host, in next()")
        if data.busy_seconds is not None:
            gaps = Message(
                "{count:.0f} gaps per step: launches, synchronization, Python",
                count=data.gaps_per_step,
            )
            yield Message("GPU busy"), of_step(data.busy_seconds), self._kernels()
            if data.idle_in_next_seconds is None:
                yield Message("GPU idle"), of_step(data.idle_elsewhere_seconds), gaps
            else:
                yield Message("GPU idle, waiting for data"), of_step(data.idle_in_next_seconds), ""
                yield Message("GPU idle, other reasons"), of_step(data.idle_elsewhere_seconds), gaps
        operations = data.operations if data.busy_seconds is None else data.operations[:3]
        for title, shares in (
            (Message("copy"), data.copies),
            (Message("host waits in"), data.syncs),
            (Message("GPU kernel"), data.kernels),
            (Message("operation"), operations),
        ):
            yield from (self._row(title, each) for each in shares)

    def blocks(self) -> Iterator[Block]:
        """Yield a table of the shares of a step, and the caveats."""
        yield Table(list(self.rows()), looks=("name", "value", "quiet"))
        steps, cost = self.data.steps, _time(self.data.cost_seconds)
        note = Message("{steps} steps profiled in {time}; trace deleted.", steps=steps, time=cost)
        yield Line(note, "quiet")
        yield Line(Message("The profiler slows the host, which lengthens the gaps."), "quiet")

    def _row(self, title: str, share: ProfileEntry) -> tuple[str, str, str]:
        name = share.name[:LONGEST_NAME]
        return title, self._of_step(share.seconds_per_step), f"{name} × {share.per_step:.3g}"

    def _kernels(self) -> str:
        count, mean_seconds = self.data.kernels_per_step, self.data.kernel_seconds
        if mean_seconds is None:
            return Message("no GPU kernels")
        mean = _time(mean_seconds)
        return Message("{count:.0f} GPU kernels per step, {mean} each", count=count, mean=mean)

    def _of_step(self, seconds: float | None) -> str:
        seconds = seconds or 0.0
        return f"{_time(seconds)} · {100 * seconds / self.data.step_seconds:.0f} %"


def _time(seconds: float) -> str:
    return format_quantity(seconds, "seconds")
