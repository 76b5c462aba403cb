"""Find out which rank of a distributed training this process is."""

from __future__ import annotations

from typing import Any


def rank_in(torch: Any) -> tuple[int, int] | None:
    """Return this process's rank and the number of ranks; ``None`` without a process group or with a single rank.

    This contacts no other process, and imports nothing.
    """
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    count = int(distributed.get_world_size())
    return (int(distributed.get_rank()), count) if count > 1 else None
