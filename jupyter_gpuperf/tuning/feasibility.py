"""Check whether this machine has room for a setting. Standard library only."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.budget import Budget, gib
from jupyter_gpuperf.tuning.probe import Probe

SHARED_SHARE: Final = 0.5
"""Batches in flight may take this share of the free shared memory."""
MEMORY_SHARE: Final = 0.25
"""Batches in flight may take this share of the free memory; the workers themselves may take twice this share."""
WORKER_BYTES: Final = 64 * 2**20
"""Minimum memory that a forked worker adds; a worker that starts as a new process needs several times that."""
FRESH_WORKER_BYTES: Final = 400 * 2**20
FILES_PER_WORKER: Final = 8
FILES_PER_BATCH: Final = 4
FILES_SHARE: Final = 0.5
REASONS: Final = {
    "shared memory": "not tried: batches in flight need {size} of shared memory; {free} are free",
    "memory": "not tried: batches in flight need {size}; {free} are free",
    "workers": "not tried: {workers} workers need {size}, more than half of the free {free}",
    "files": "not tried: it may open {files} files; the limit is {limit}",
}


def infeasible_reason(*settings: Setting, probe: Probe, budget: Budget) -> Message | None:
    """Return why these settings can't all have their workers here at the same time; ``None`` when they fit."""
    flight = in_memory = in_workers = files = 0
    for each in settings:
        if each.num_workers:
            batches = each.in_flight_batches + 2
            flight += batches * probe.batch_bytes
            in_memory += batches * probe.batch_bytes * (2 if each.pin_memory else 1)
            forked = each.start_method in (None, "fork")
            in_workers += each.num_workers * (WORKER_BYTES if forked else FRESH_WORKER_BYTES)
            files += FILES_PER_WORKER * each.num_workers + FILES_PER_BATCH * batches
    needs = {
        "shared memory": (flight, SHARED_SHARE, budget.shared_memory_bytes),
        "memory": (in_memory, MEMORY_SHARE, budget.memory_bytes),
        "workers": (in_workers, 2 * MEMORY_SHARE, budget.memory_bytes),
        "files": (files, FILES_SHARE, budget.open_files),
    }
    for reason, (size, share, free) in needs.items():
        if free is not None and size > share * free:
            sizes = {"size": gib(size), "free": gib(free), "files": files, "limit": free}
            workers = sum(each.num_workers for each in settings)
            return Message(REASONS[reason], workers=workers, **sizes)
    return None
