"""Findings: reasons why the work is slow."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages


class Finding(WithMessages, frozen=True, kw_only=True):
    """A reason why the work on a device is slow, or about to fail."""

    code: str
    """``input-bound``, ``transfer-bound``, ``launch-bound``, ``periodic-stall``, ``tensor-cores-idle``,
    ``memory-bandwidth-bound``, ``power-capped``, ``thermal-throttled``, ``memory-nearly-full``,
    ``out-of-memory``, ``gpu-contention``, ``idle-memory-holder``, ``communication-bound``, ``cpu-quota``, or
    a code of another package.
    """
    severity: Literal["info", "warning", "critical"]
    """The work is healthy if there is nothing above ``info``."""
    confidence: Literal["suspected", "confirmed"]
    """``suspected`` if only the driver's readings support it."""
    device: str | None
    """UUID."""
    pid: int | None
    notebook: str | None
    """The notebook of the process, if known."""
    since_seconds: float
    """When it was first found: Unix time, or seconds since the start of a recording."""
    summary: str
    cost: str | None
    """The lost time, in words; ``None`` if it is not known."""
    lost_ratio: float | None
    lost_seconds_per_epoch: float | None
    evidence: dict[str, float | str]
    """The figures that support it; each name contains the unit."""
    advice: str
    refuted_by: str
    """An observation that would disprove the finding."""
    change: str | None
    """The change as code."""
    alert: str | None = None
    """The code of a current alert about the same problem of this device: shown as an alert, and not twice."""
    summary_message: MessageOrUnset = UNSET
    cost_message: MessageOrUnset = UNSET
    advice_message: MessageOrUnset = UNSET
    refuted_by_message: MessageOrUnset = UNSET


class FindingsChanged(Struct, frozen=True, kw_only=True, tag="findings"):
    """All current findings; answer of ``GET findings``, sent when one appears or disappears, and once after the
    greeting.
    """

    findings: list[Finding]
