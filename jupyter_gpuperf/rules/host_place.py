"""Name the phase of a step, and the line of the user's code, for which a device waits."""

from __future__ import annotations

from typing import Final, NamedTuple

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.host_idle import HostIdle
from jupyter_gpuperf.rules.own_code import CELL, LOOKS_ERROR_RATIO
from jupyter_gpuperf.rules.step_phases import shares_of
from jupyter_gpuperf.schemas.phases import HostLine, Phase
from jupyter_gpuperf.schemas.training import LoopSteps

SMALLEST_RATIO: Final = 0.1
"""A phase with a smaller share of the host's time is not named."""
NAMES: Final[dict[Phase, Message]] = {
    "copy": Message("before the forward pass"),
    "forward": Message("in the forward pass"),
    "backward": Message("in the backward pass"),
    "optimizer": Message("in the optimizer"),
    "other": Message("between the passes"),
}
BEFORE_BACKWARD: Final = Message("before the backward pass")
BETWEEN_CALLS: Final = Message("between the calls of the model")
"""The name of the rest of a step that has no other passes than the forward pass."""


class Place(NamedTuple):
    """Where the host is while the device waits.

    Attributes
    ----------
    is_most
        Whether the device waits there for more time than in all other phases together; else it is the longest that may be.
    line
        The user's function with most of the phase's time; ``None`` if none is known.
    """

    phase: Phase
    name: Message
    host_ratio: float
    is_most: bool
    line: HostLine | None


def place_of(loop: LoopSteps, idle: HostIdle) -> Place | None:
    """Return the phase in which the device may be idle for longest; ``None`` if no phases are known."""
    phase = idle.main_phase
    if phase is None or (host_ratio := idle.shares[phase].host_ratio) < SMALLEST_RATIO:
        return None
    is_of_module = loop.bounded_by == "module"  # the begin of its forward pass is always known
    is_joined = phase == "forward" and "copy" not in shares_of(loop) and not is_of_module
    name = BEFORE_BACKWARD if is_joined else NAMES[phase]
    if is_of_module and phase == "other":
        name = BETWEEN_CALLS
    line = _line_in(loop, host_ratio) if is_joined or phase in ("copy", "other") else None
    if line is not None:
        template = "{place}, in {function}, line {line}"
        if line.function == CELL:
            template = "{place}, in line {line}"
        name = Message(template, place=name, function=line.function, line=line.line)
    return Place(phase, name, host_ratio, idle.least_in(phase) >= 0.5 * idle.ratio, line)


def with_place(waiting: Message, place: Place | None) -> Message:
    """Return a sentence about a device's waiting, with another one about the place if that is known."""
    if place is None:
        return waiting
    return Message(
        "{waiting} Most of that is {place} (host {percent:.0f} % of the step)."
        if place.is_most
        else "{waiting} The host is longest {place} ({percent:.0f} % of the step).",
        waiting=waiting,
        place=place.name,
        percent=100 * place.host_ratio,
    )


def evidence_of(place: Place | None) -> dict[str, float | str | None]:
    """Return the place as evidence; empty if it is unknown."""
    if place is None:
        return {}
    found: dict[str, float | str | None] = {
        "phase": place.phase,
        "host_in_phase_ratio": place.host_ratio,
    }
    if place.line is not None:
        found["file"] = place.line.file
        found["host_in_function_ratio"] = place.line.ratio
    return found


def _line_in(loop: LoopSteps, phase_ratio: float) -> HostLine | None:
    """Return the line that has most of a phase's time; not the function whose calls are the phase ``data``."""
    data = shares_of(loop).get("data")
    data_ratio = data.host_ratio if data else 0.0
    lines = [
        each
        for each in loop.host_lines or ()
        if 0.5 * phase_ratio <= each.ratio <= phase_ratio + LOOKS_ERROR_RATIO
        and not (each.is_bounded and each.ratio <= data_ratio + LOOKS_ERROR_RATIO)
    ]
    return max(lines, key=lambda each: each.ratio, default=None)
