"""The doctor's checks, and the differences between two reports."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages

CheckStatus = Literal["ok", "warn", "fail", "unknown"]


class CheckFinding(WithMessages, frozen=True, kw_only=True):
    """The result of one check."""

    id: str
    subject: str
    label: str
    status: CheckStatus
    """``unknown``: the check could not decide; ``found`` has the reason."""
    found: str
    expected: str
    why: str
    fix: str
    """Commands to type on this machine; optional if the status is ``ok``. Empty if there is nothing to type."""
    then: str
    """Additional advice."""
    link: str
    seconds: float | None
    """Duration of the check; ``None`` if it did not end."""
    found_message: MessageOrUnset = UNSET
    then_message: MessageOrUnset = UNSET


class DoctorReport(Struct, frozen=True, kw_only=True):
    """``GET doctor``: the results of all checks in one environment."""

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
    """A difference between two reports."""

    kind: Literal["check", "environment", "package"]
    name: str
    before: str | None
    """``None``: missing in that report."""
    after: str | None


class DoctorComparison(Struct, frozen=True, kw_only=True):
    """Output of ``jupyter gpuperf doctor --compare``."""

    changes: list[DoctorChange]
