"""What step clocks told, as the diagnosis takes it."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_gpuperf.diagnose import Steps
from jupyter_gpuperf.schemas.training import LoaderSteps


def for_diagnosis(told: Iterable[LoaderSteps]) -> tuple[Steps, ...]:
    """Return the loaders' steps without what only people look at."""
    return tuple(
        Steps(
            pid=each.pid,
            notebook=each.notebook or None,  # a recording has no names
            device_uuid=each.device_uuid,
            loader=each.loader,
            count=each.count,
            step_seconds=each.step_seconds,
            wait_ratio=each.wait_ratio,
            idle_for_data_ratio=each.idle_for_data_ratio,
            busy_ratio=each.busy_ratio,
            idle_for_host_ratio=each.idle_for_host_ratio,
            batch_size=each.batch_size,
            batches_per_epoch=each.batches_per_epoch,
            num_workers=each.num_workers,
            prefetch_factor=each.prefetch_factor,
            pin_memory=each.pin_memory,
            persistent_workers=each.persistent_workers,
            worker_threads=each.worker_threads,
            is_training=each.is_training,
            notebook_key=each.notebook_key,
            rank=each.rank,
            ranks_count=each.ranks_count,
        )
        for each in told
    )
