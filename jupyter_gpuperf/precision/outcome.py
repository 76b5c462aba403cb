"""What a profile found, as plain data. Standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_gpuperf.measure.statistics import Interval


@dataclass(slots=True)
class ModeOutcome:
    """One mode's figures; those that could not be had are ``None``, and ``error`` or ``reasons`` say why.

    Attributes
    ----------
    step_seconds, device_seconds, host_seconds
        Seconds per optimizer step (per run of the cell where it takes none): as the user waits for it, as the GPU
        counts it, and until the host has given all its work away.
    speedup
        How many times faster than fp32.
    speedup_over_now
        The same against how the cell runs now.
    tensor_active_ratio
        The tensor cores' share of time by the GPU's own counter; ``None`` where it has none.
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
    error: dict[str, str] | None = None
    samples: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it in the documented shape."""
        return asdict(self)


@dataclass(slots=True)
class Profile:
    """The whole answer.

    Attributes
    ----------
    now
        How the cell runs without any of this: the mode that is the same, or figures of its own.
    sentence
        The answer in one sentence.
    code
        The cell as one would write it, or the lines to add; empty where nothing is to be changed.
    why_not_more, next_steps
        Sentences.
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
    """What tells cells apart: a checksum of the source."""
    steps_per_run: int = 0
    numerics_steps: int = 0
    seconds: float = 0.0

    def mode(self, name: str) -> ModeOutcome | None:
        """Return one mode's figures."""
        return next((each for each in self.modes if each.mode == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it in the documented shape: fresh, plain data."""
        found = asdict(self)
        del found["cell"]
        return found
