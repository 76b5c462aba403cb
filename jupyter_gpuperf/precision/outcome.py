"""The outcome of a profile, as plain data. Standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message


@dataclass(slots=True)
class ModeOutcome:
    """The figures of one mode. A figure that could not be measured is ``None``.

    ``error``, or ``reason`` in ``kernels``, gives the cause.

    Attributes
    ----------
    step_seconds, device_seconds, host_seconds
        Seconds per optimizer step (per run, when the cell takes no steps): wall-clock time, time on the GPU, and time
        until the host has launched all work.
    speedup
        How many times as fast as fp32.
    speedup_over_now
        How many times as fast as the cell in its current mode.
    tensor_active_ratio
        Share of time (0 to 1) in which the tensor cores are active, by the GPU's own counter; ``None`` without one.
    """

    mode: str
    step_seconds: Interval | None = None
    device_seconds: Interval | None = None
    host_seconds: Interval | None = None
    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    energy_joules: Interval | None = None
    speedup: Interval | None = None
    speedup_over_now: Interval | None = None
    numerics: dict[str, Any] | None = None
    dtypes: dict[str, Any] | None = None
    kernels: dict[str, Any] | None = None
    tensor_active_ratio: float | None = None
    compiled: dict[str, Any] | None = None
    steps_skipped: int = 0
    error: dict[str, Any] | None = None
    samples: list[float] = field(default_factory=list)

    @property
    def failure(self) -> str:
        """Why the mode was not timed, and what to do about it; empty if it was timed."""
        if self.step_seconds is not None:
            return ""
        message, hint = (self.error or {}).get("message", ""), (self.error or {}).get("hint", "")
        return Message("{message} {hint}", message=message, hint=hint) if hint else message


@dataclass(slots=True)
class Profile:
    """The complete result of a profile.

    Attributes
    ----------
    now
        Figures of the cell in its current mode. ``None`` when that is one of the measured modes, ``same_as_now``.
    sentence
        The result in one sentence.
    code
        The cell rewritten for the recommended mode, or the lines to add; empty when nothing needs to change.
    why_not_more, next_steps
        Sentences: what limits the gain, and what to try next.
    """

    modes: list[ModeOutcome]
    now: ModeOutcome | None
    same_as_now: str | None
    recommended: str | None = None
    sentence: str = ""
    code: str = ""
    why_not_more: list[str] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    cell: str = ""
    """Identifies the cell: a CRC-32 checksum of its source."""
    steps_per_run: int = 0
    numerics_steps: int = 0
    seconds: float = 0.0

    def mode(self, name: str) -> ModeOutcome | None:
        """Return the figures of one mode; ``None`` when it was not profiled."""
        return next((each for each in self.modes if each.mode == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as new plain data, in the documented form."""
        return {name: value for name, value in asdict(self).items() if name != "cell"}
