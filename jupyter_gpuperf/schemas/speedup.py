"""The result of ``%%speedup``: a cell made faster."""

from __future__ import annotations

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages
from jupyter_gpuperf.schemas.precision import Interval


class LeverResult(WithMessages, frozen=True, kw_only=True):
    """What one lever gave."""

    name: str
    taken: bool
    why: str
    """Why it was taken or left."""
    speedup: Interval | None
    """Over the version without it, with all levers that were taken before; ``None`` if it was not timed."""
    speedup_so_far: float | None
    """Of the code with it over the cell as it was, when it was taken; ``None`` if it was left at once."""
    why_message: MessageOrUnset = UNSET


class LossCurves(Struct, frozen=True, kw_only=True):
    """The losses of the same steps, of the cell in fp32 and of the final code; ``None`` for one that is not finite."""

    before: list[float | None]
    after: list[float | None]


class SpeedupReport(WithMessages, frozen=True, kw_only=True):
    """What was found; while the search runs, what was found so far.

    The whole is in the figures of the result: ``before_seconds``, ``after_seconds``, ``speedup`` and, on a GPU,
    ``before_peak_bytes`` and ``after_peak_bytes``, the peak of the tensors' memory.
    """

    sentence: str
    """The answer; empty while the search runs."""
    levers: list[LeverResult]
    """In the order in which they were tried."""
    code: str
    """The set-up lines and the cell, ready to run; empty if no lever was taken, or while the search runs."""
    setup: str
    """The part of the code that is to run once, before the cell."""
    facts: list[str]
    """The times before and after, how losses and gradients compare with fp32's, peak memory; without full stops."""
    steps_per_run: int
    """Optimizer steps that the cell takes; 0 if it takes none, and the times are those of a run."""
    losses: LossCurves | None
    """``None`` if they were not compared."""
    sentence_message: MessageOrUnset = UNSET
    facts_message: MessagesOrUnset = UNSET
