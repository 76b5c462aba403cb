"""What fits: a step at several batch sizes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.precision import Interval

BatchStatus = Literal["run", "out_of_memory", "failed", "predicted"]
FitLimit = Literal["memory", "host_memory", "items", "time", "error", "speed"]


class BatchTrial(Struct, frozen=True, kw_only=True):
    """One batch size. What was not measured is ``None``; on a CPU, that is all that concerns memory."""

    batch_size: int
    status: BatchStatus
    """Only with ``run`` was it run; ``predicted`` sizes were not."""
    samples_per_second: Interval | None
    step_seconds: Interval | None
    peak_bytes: float | None
    """Peak of the allocated memory, with all that the notebook holds; of a ``predicted`` size, the predicted one."""
    reserved_bytes: float | None
    """Peak of what torch reserved: allocated, cached and fragmented."""
    predicted_bytes: float | None
    """The peak that the law of the sizes before it predicted, before this one was run."""
    roles: list[str]
    """Any of ``own``, ``recommended``, ``largest``, ``fastest``."""
    error: str = ""


class MemoryPhase(Struct, frozen=True, kw_only=True):
    """How the peak of one phase of the step grows: ``fixed_bytes + bytes_per_sample * batch_size``."""

    phase: str
    """``optimizer`` while an optimizer works, otherwise ``step``."""
    fixed_bytes: float
    bytes_per_sample: float
    batch_sizes: list[int]
    """The sizes that the line was fitted to."""
    largest_deviation_ratio: float | None
    """Of a measured peak from the line; ``None`` for two sizes, which are always on a line."""


class BatchFit(Struct, frozen=True, kw_only=True):
    """Peak memory and samples per second of a step at several batch sizes."""

    step: str
    loader: str
    device: str
    own_batch_size: int
    trials: list[BatchTrial]
    """Smallest batch first."""
    law: list[MemoryPhase]
    """The highest of these lines is the peak; empty where memory is not measured, or too few sizes ran."""
    limit_bytes: float | None
    """What torch could reserve at most: what was free, and what it had itself."""
    margin_ratio: float
    """The share of the limit that stays free at the peak of the largest batch."""
    largest_batch_size: int | None
    """The largest that fits with the margin, and was run; ``None`` on a CPU."""
    limited_by: FitLimit
    """Why no larger size was run."""
    enough_batch_size: int | None
    """The smallest that can't be distinguished from the fastest; ``None`` if none was timed."""
    recommended_batch_size: int | None
    code: str | None
    """The line that creates the loader with the recommended size, compared with the notebook's loader; or comments."""
    notes: list[str]
    warnings: list[str]
    seconds: float
