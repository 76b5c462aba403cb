"""The bins of histograms of step times; their widths grow exponentially."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from jupyter_gpuperf.schemas.bounds import Count

HIGHEST_BIN: Final = 255
"""Number of the last bin of step times; its steps take half a million years."""
BINS_PER_OCTAVE: Final = 4
SHORTEST_STEP_SECONDS: Final = 1e-6


class StepBin(Struct, frozen=True, kw_only=True):
    """The number of steps that took from ``low_seconds`` up to ``high_seconds``."""

    low_seconds: float
    high_seconds: float
    count: Count


def bin_seconds(number: int) -> float:
    """Return the lower bound of a bin of step times, in seconds. There are four bins per octave, from 1 µs on."""
    return float(SHORTEST_STEP_SECONDS * 2 ** (number / BINS_PER_OCTAVE))
