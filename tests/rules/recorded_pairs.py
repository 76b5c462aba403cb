"""Two real H100s in one recording: two ranks that train together over NVLink, of which one is slowed in turn."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

from cut_recording import lines_of, part

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.recording import Recording

RECORDINGS = Path(__file__).parents[1] / "recordings"
RANKS = RECORDINGS / "two_h100_ranks.jsonl.gz"
CONTENDED = RECORDINGS / "two_h100_contended.jsonl.gz"
BUSY_DIFFERENTLY = RECORDINGS / "two_h100_busy_differently.jsonl.gz"
PIDS = (817, 818)
"""Of the ranks, by device."""

PHASES = {
    "balanced": (0.0, 14.0),
    "late by its loader": (14.0, 27.6),
    "balanced again": (27.6, 46.9),
    "late by its host": (46.9, 66.2),
    "late by its GPU": (66.2, math.inf),
}
"""From when until when, in seconds of the recording; it is rank 1 that is late."""


def recorded(path: Path, from_seconds: float = 0.0, until_seconds: float = math.inf) -> Recording:
    """Return a part of a recording."""
    header, *lines = part(_lines(path), from_seconds, until_seconds)
    return Recording(header, lines, METRICS)


_lines = lru_cache(maxsize=1)(lines_of)
