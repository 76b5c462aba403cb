"""What the doctor says: its checks, and how two reports differ."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

CheckStatus = Literal["ok", "warn", "fail", "unknown"]


class CheckFinding(Struct, frozen=True, kw_only=True):
    """What one check found."""

    id: str
    subject: str
    label: str
    status: CheckStatus
    """``unknown``: nothing can be said here, and ``found`` says why."""
    found: str
    expected: str
    why: str
    fix: str
    """Lines to type, for this very machine; with ``ok`` an offer. Empty where there is nothing to type."""
    then: str
    """What to know or do besides."""
    link: str
    seconds: float | None
    """How long it took; ``None`` when it did not end."""


class DoctorReport(Struct, frozen=True, kw_only=True):
    """``GET doctor``: what was found in one environment."""

    checks: list[CheckFinding]
    kernel_name: str | None
    """The kernel spec that was examined; ``None`` for the server's own Python."""
    interpreter: str
    environment: dict[str, str | None]
    packages: dict[str, str]
    """Name → version."""
    taken_seconds: float
    duration_seconds: float


class DoctorChange(Struct, frozen=True, kw_only=True):
    """Something that is not the same in two reports."""

    kind: Literal["check", "environment", "package"]
    name: str
    before: str | None
    """``None``: it is not in that report."""
    after: str | None


class DoctorComparison(Struct, frozen=True, kw_only=True):
    """What ``jupyter gpuperf doctor --compare`` answers."""

    changes: list[DoctorChange]
