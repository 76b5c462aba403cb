"""A cell in every precision mode: the readable part of the result of ``%%amp_profile``."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages

NumbersVerdict = Literal["reference", "within", "close", "far", "broken", "unknown"]


class Interval(Struct, frozen=True, kw_only=True):
    """A measured value with its 95 % confidence interval, ``low <= value <= high``."""

    value: float
    low: float
    high: float


class PrecisionMode(WithMessages, frozen=True, kw_only=True):
    """One mode; a value that could not be measured is ``None``, and ``error`` has the reason."""

    mode: str
    """Such as ``bf16`` or ``bf16+compile``; ``now`` if the cell currently uses none of them."""
    step_seconds: Interval | None
    speedup: Interval | None
    """Speed-up over the current cell; over fp32 if that is not known."""
    peak_bytes: int | None
    compile_seconds: float | None
    steps_skipped: int
    """Steps that the gradient scaler skipped during timing."""
    verdict: NumbersVerdict | None
    """Verdict on the numbers; ``None`` if they were not compared."""
    numbers: str
    """The verdict in words, without a full stop; empty if there is none."""
    error: str
    """Why the mode was not timed, in sentences; empty if it was."""
    numbers_message: MessageOrUnset = UNSET
    error_message: MessageOrUnset = UNSET


class PrecisionProfile(WithMessages, frozen=True, kw_only=True):
    """The complete result."""

    sentence: str
    now: str | None
    """The mode that the cell currently uses."""
    recommended: str | None
    modes: list[PrecisionMode]
    why_not_more: list[str]
    next_steps: list[str]
    code: str
    """The cell rewritten for the recommended mode; empty if nothing needs to change."""
    sentence_message: MessageOrUnset = UNSET
    why_not_more_message: MessagesOrUnset = UNSET
    next_steps_message: MessagesOrUnset = UNSET
