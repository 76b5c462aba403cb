"""Check whether this machine has room for a setting. Standard library only."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.budget import Budget, gib
from jupyter_gpuperf.tuning.probe import Probe

SHARED_SHARE: Final = 0.5
"""Batches in flight may take this share of the free shared memory."""
MEMORY_SHARE: Final = 0.25
WORKER_BYTES: Final = 64 * 2**20
"""Least memory of a forked worker's own; a fresh process takes several times that."""
FRESH_WORKER_BYTES: Final = 400 * 2**20
FILES_PER_WORKER: Final = 8
FILES_PER_BATCH: Final = 4


def infeasible_reason(setting: Setting, probe: Probe, budget: Budget) -> str | None:
    """Return why a setting is not tried here; ``None`` when it fits."""
    if not setting.num_workers:
        return None
    batches = setting.in_flight_batches + 2
    flight = batches * probe.batch_bytes
    shared, memory = budget.shared_memory_bytes, budget.memory_bytes
    if shared is not None and flight > SHARED_SHARE * shared:
        return (
            f"not tried: {batches} batches in flight take {gib(flight)} of shared memory, "
            f"{gib(shared)} are free"
        )
    worker = WORKER_BYTES if setting.start_method in (None, "fork") else FRESH_WORKER_BYTES
    pinned = flight if setting.pin_memory else 0
    if memory is not None and flight + pinned > MEMORY_SHARE * memory:
        return f"not tried: batches in flight take {gib(flight + pinned)}, {gib(memory)} are free"
    if memory is not None and setting.num_workers * worker > 2 * MEMORY_SHARE * memory:
        return f"not tried: {setting.num_workers} workers take more than half of {gib(memory)}"
    files = FILES_PER_WORKER * setting.num_workers + FILES_PER_BATCH * batches
    if budget.open_files is not None and files > budget.open_files // 2:
        return f"not tried: it may open {files} files, the limit is {budget.open_files}"
    return None
