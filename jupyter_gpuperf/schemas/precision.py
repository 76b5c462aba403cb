"""A cell under every precision: what ``%%amp_profile`` answers, as far as people read it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

NumbersVerdict = Literal["reference", "within", "close", "far", "broken", "unknown"]


class Interval(Struct, frozen=True, kw_only=True):
    """A measured value with its 95 % confidence interval, ``low <= value <= high``."""

    value: float
    low: float
    high: float


class PrecisionMode(Struct, frozen=True, kw_only=True):
    """One mode; what could not be had is ``None``, and ``error`` says why."""

    mode: str
    """Such as ``bf16`` or ``bf16+compile``; ``now`` where the cell runs as none of them."""
    step_seconds: Interval | None
    speedup: Interval | None
    """How many times faster than the cell as it is now; than fp32 where that is not known."""
    peak_bytes: int | None
    compile_seconds: float | None
    steps_skipped: int
    """By the gradient scaler, while it was timed."""
    verdict: NumbersVerdict | None
    """On its numbers; ``None`` where they were not compared."""
    numbers: str
    """The verdict in words, without a full stop; empty where there is none."""
    error: str
    """Why it has no times, in sentences; empty where it has."""


class PrecisionProfile(Struct, frozen=True, kw_only=True):
    """The whole answer."""

    sentence: str
    now: str | None
    """The mode that is the same as the cell as it is."""
    recommended: str | None
    modes: list[PrecisionMode]
    why_not_more: list[str]
    next_steps: list[str]
    code: str
    """The cell as one would write it; empty where nothing is to be changed."""
