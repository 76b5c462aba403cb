"""Options of a profile. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.precision.mode_context import MODES

QUICK_SECONDS: Final = 30.0
RIGOROUS_SECONDS: Final = 120.0
LEAST_SECONDS: Final = 10.0
"""However short the limit, the checks may take this long."""
DEFAULT_STEPS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileOptions:
    """The options of a profile.

    Parameters
    ----------
    modes
        Modes to measure, from :data:`mode_context.MODES`. fp32 is always measured, because it is the reference.
    compile
        Whether to measure torch.compile too.
    steps
        Length of the compared loss curves in optimizer steps.
    time_limit_seconds
        Limit for the profile after the ordinary run; by default 30 s, or 120 s when ``rigorous``.
    """

    modes: tuple[str, ...] = MODES
    compile: bool = False
    steps: int = DEFAULT_STEPS
    rigorous: bool = False
    numerics: bool = True
    time_limit_seconds: float | None = None

    @property
    def limit_seconds(self) -> float:
        """Time limit in seconds for everything but the ordinary run and compiling."""
        if self.time_limit_seconds is not None:
            return self.time_limit_seconds
        return RIGOROUS_SECONDS if self.rigorous else QUICK_SECONDS

    def validated(self) -> ProfileOptions:
        """Return the options after checking them.

        Raises
        ------
        BadRequest
            ``unknown_mode`` or ``parameter_out_of_range``.
        """
        if unknown := [mode for mode in self.modes if mode not in MODES]:
            message, hint = "There is no mode {mode!r}.", "Available: {modes}."
            raise BadRequest("unknown_mode", message, hint, mode=unknown[0], modes=MODES)
        limit = self.time_limit_seconds
        if limit is not None and not 0 < limit <= 3600:
            message = "time_limit_seconds = {limit} is out of range."
            raise BadRequest("parameter_out_of_range", message, "Choose up to 3600.", limit=limit)
        if not 1 <= self.steps <= 100_000:
            message, hint = "steps = {steps} is out of range.", "Choose 1 to 100000."
            raise BadRequest("parameter_out_of_range", message, hint, steps=self.steps)
        return self
