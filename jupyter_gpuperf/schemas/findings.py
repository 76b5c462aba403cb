"""Why the work is slow."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """A reason why the work on a device is slow, or about to fail."""

    code: str
    """``input-bound``, ``transfer-bound``, ``launch-bound``, ``periodic-stall``, ``tensor-cores-idle``,
    ``memory-bandwidth-bound``, ``power-capped``, ``thermal-throttled``, ``memory-nearly-full``,
    ``out-of-memory``, ``gpu-contention``, ``idle-memory-holder``, ``communication-bound``, ``cpu-quota``, or
    what another package says."""
    severity: Literal["info", "warning", "critical"]
    """Healthy means nothing above ``info``."""
    confidence: Literal["suspected", "confirmed"]
    """``suspected`` from the driver's readings alone."""
    device: str | None
    """UUID."""
    pid: int | None
    notebook: str | None
    """Whose it is, where that is known."""
    since_seconds: float
    """When it was first found: Unix time, or seconds since a recording's beginning."""
    summary: str
    cost: str | None
    """The time that it costs, in words; ``None`` where that can't be told."""
    lost_ratio: float | None
    lost_seconds_per_epoch: float | None
    evidence: dict[str, float | str]
    """The figures behind it, each wearing its unit in its name."""
    advice: str
    refuted_by: str
    """What would show that it is wrong."""
    change: str | None
    """The change as code."""
    alert: str | None = None
    """The code of an alert that tells the same trouble of this device now: shown there, and not twice."""


class FindingsChanged(Struct, frozen=True, kw_only=True, tag="findings"):
    """All findings that hold now; answer of ``GET findings``, sent when one comes or goes, and once after the
    greeting."""

    findings: list[Finding]
