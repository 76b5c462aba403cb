"""Find out which rank of a distributed training this process is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from jupyter_gpuperf.loops.clock import LoopClock


def rank_in(torch: Any) -> tuple[int, int] | None:
    """Return this process's rank and the number of ranks; ``None`` without a process group or with a single rank.

    This contacts no other process, and imports nothing.
    """
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    count = int(distributed.get_world_size())
    return (int(distributed.get_rank()), count) if count > 1 else None


def give_rank(torch: Any, clocks: Iterable[LoopClock]) -> None:
    """Give each clock the rank of this process. It stays when the training leaves its process group at the end."""
    found = rank_in(torch)
    if found is None:
        return
    rank, count = found
    for clock in clocks:
        if clock.info.rank != rank or clock.info.ranks_count != count:
            clock.info = msgspec.structs.replace(clock.info, rank=rank, ranks_count=count)
