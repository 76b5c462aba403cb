"""The result of ``%%amp_profile``: a cell in every precision mode."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages

NumbersVerdict = Literal["reference", "within", "close", "far", "broken", "unknown"]


class Interval(Struct, frozen=True, kw_only=True):
    """A measured value with its 95 % confidence interval; ``low <= value <= high``."""

    value: float
    low: float
    high: float


class PrecisionMode(WithMessages, frozen=True, kw_only=True):
    """One precision mode. A value that could not be measured is ``None``; ``error`` contains the reason."""

    mode: str
    """The mode, such as ``bf16`` or ``bf16+compile``; ``now`` if the cell's current mode is none of the known ones."""
    step_seconds: Interval | None
    speedup: Interval | None
    """Speed-up over the unchanged cell, or over fp32 if the time of the unchanged cell is unknown."""
    peak_bytes: int | None
    compile_seconds: float | None
    steps_skipped: int
    """Number of steps that the gradient scaler skipped during timing."""
    verdict: NumbersVerdict | None
    """Whether the numerical results agree with the reference; ``None`` if they were not compared."""
    numbers: str
    """The verdict as text, without a full stop; empty if there is none."""
    error: str
    """Full sentences that explain why the mode was not timed; empty if it was timed."""
    numbers_message: MessageOrUnset = UNSET
    error_message: MessageOrUnset = UNSET


class PrecisionProfile(WithMessages, frozen=True, kw_only=True):
    """The results of all modes, and the recommendation."""

    sentence: str
    now: str | None
    """The mode that the unchanged cell uses; ``None`` if it is unknown."""
    recommended: str | None
    modes: list[PrecisionMode]
    why_not_more: list[str]
    next_steps: list[str]
    code: str
    """The cell rewritten for the recommended mode; empty if nothing needs to change."""
    sentence_message: MessageOrUnset = UNSET
    why_not_more_message: MessagesOrUnset = UNSET
    next_steps_message: MessagesOrUnset = UNSET
