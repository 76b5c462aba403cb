"""Parts of recordings of real H100s that start in the middle of the work, so that the browser need not wait."""

from __future__ import annotations

from pathlib import Path

from cut_recording import cut
from recorded_pairs import PHASES, RANKS, RECORDINGS

WALKTHROUGH = RECORDINGS / "h100_walkthrough.jsonl.gz"
STARVING = (16.0, 41.0)
"""The seconds in which a notebook trains a ResNet-50 from JPEGs with 2 workers."""


def starving(folder: Path) -> Path:
    """Write the part in which a loop waits for its data."""
    return cut(WALKTHROUGH, folder / "starving.jsonl.gz", *STARVING)


def with_a_late_rank(folder: Path) -> Path:
    """Write the part in which rank 1 is the straggler because of its loader, with windows that contain nothing else."""
    until = PHASES["late by its loader"][1]
    return cut(RANKS, folder / "late.jsonl.gz", until - 7.0, until)
