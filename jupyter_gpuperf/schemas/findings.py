"""Findings: reasons why the work on a device is slow or fails."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages


class Finding(WithMessages, frozen=True, kw_only=True):
    """A reason why the work on a device is slow or fails."""

    code: str
    """The rule's code: ``input-bound``, ``transfer-bound``, ``launch-bound``, ``periodic-stall``,
    ``tensor-cores-idle``, ``memory-bandwidth-bound``, ``power-capped``, ``thermal-throttled``, ``memory-nearly-full``,
    ``memory-growth``, ``out-of-memory``, ``gpu-contention``, ``idle-memory-holder``, ``communication-bound``, ``cpu-quota``,
    ``optimizer-bound``, or a code of another package.
    """
    severity: Literal["info", "warning", "critical"]
    """A device without findings above ``info`` is healthy."""
    confidence: Literal["suspected", "confirmed"]
    """``suspected`` if only the driver's readings support the finding."""
    device: str | None
    """UUID of the device; ``None`` for the host."""
    pid: int | None
    notebook: str | None
    """The notebook of the process; ``None`` if it is unknown."""
    since_seconds: float
    """When it was first found: Unix time, or seconds since the start of a recording."""
    summary: str
    cost: str | None
    """The lost time as text; ``None`` if it is unknown, or already part of the summary."""
    lost_ratio: float | None
    lost_seconds_per_epoch: float | None
    evidence: dict[str, float | str]
    """The figures that support the finding; each name includes the unit."""
    advice: str
    refuted_by: str
    """An observation that would disprove the finding."""
    change: str | None
    """The suggested change as code; ``None`` if there is none."""
    alert: str | None = None
    """The code of a current alert about the same problem of the device; pages then show only the alert."""
    summary_message: MessageOrUnset = UNSET
    cost_message: MessageOrUnset = UNSET
    advice_message: MessageOrUnset = UNSET
    refuted_by_message: MessageOrUnset = UNSET


class UndecidedCauses(WithMessages, frozen=True, kw_only=True):
    """Causes that can't be confirmed or ruled out on a device, because it lacks the readings that decide."""

    device: str
    """UUID of the device."""
    codes: list[str]
    """The codes of the findings."""
    metrics: list[str]
    """The metrics without readings."""
    summary: str
    summary_message: MessageOrUnset = UNSET


class FindingsChanged(Struct, frozen=True, kw_only=True, tag="findings"):
    """All current findings: the answer of ``GET findings``. On the live socket, it is sent when a finding appears or
    disappears, and once after the greeting.
    """

    findings: list[Finding]
    undecided: list[UndecidedCauses] = []
