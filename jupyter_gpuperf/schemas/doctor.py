"""The results of the doctor's checks, and the differences between two reports."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, structs

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages

CheckStatus = Literal["ok", "warn", "fail", "unknown"]


class CheckFinding(WithMessages, frozen=True, kw_only=True):
    """The result of one check."""

    id: str
    subject: str
    label: str
    status: CheckStatus
    """``unknown``: the check had no result; ``found`` contains the reason."""
    found: str
    expected: str
    why: str
    fix: str
    """Commands that fix the problem on this machine; empty if there are none. With the status ``ok``, they are optional."""
    then: str
    """Additional advice."""
    link: str
    """URL of a page with more information; empty if there is none."""
    seconds: float | None
    """Duration of the check; ``None`` if it did not finish."""
    found_message: MessageOrUnset = UNSET
    then_message: MessageOrUnset = UNSET

    def __post_init__(self) -> None:
        """Drop a link that would run a script where it is clicked: checks run in other environments."""
        super().__post_init__()
        if not self.link.startswith(("https://", "http://")):
            structs.force_setattr(self, "link", "")


class DoctorReport(Struct, frozen=True, kw_only=True):
    """``GET doctor``: the results of all checks in one environment."""

    checks: list[CheckFinding]
    kernel_name: str | None
    """The kernel spec whose environment was checked; ``None`` for the server's own Python."""
    interpreter: str
    environment: dict[str, str | None]
    packages: dict[str, str]
    """Package name → version."""
    taken_seconds: float
    duration_seconds: float


class DoctorChange(Struct, frozen=True, kw_only=True):
    """A difference between two reports."""

    kind: Literal["check", "environment", "package"]
    name: str
    before: str | None
    """The value in the first report; ``None`` if it is missing there. The same applies to ``after``."""
    after: str | None


class DoctorComparison(Struct, frozen=True, kw_only=True):
    """Output of ``jupyter gpuperf doctor --compare``."""

    changes: list[DoctorChange]
