"""What a loader's tallies come to over a window of time. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jupyter_gpuperf.loop_store.device_share import Busy
from jupyter_gpuperf.schemas.training import (
    LoaderSteps,
    StepBin,
    StepTally,
    WatchedLoader,
    bin_seconds,
)


def merged(one: StepTally, next_one: StepTally) -> StepTally:
    """Return two tallies of one loader, the earlier first, as one."""
    bins = dict(one.bins)
    for name, count in next_one.bins.items():
        bins[name] = bins.get(name, 0) + count
    return StepTally(
        loader=one.loader,
        began_seconds=one.began_seconds,
        ended_seconds=next_one.ended_seconds,
        count=one.count + next_one.count,
        training_count=one.training_count + next_one.training_count,
        nested_count=one.nested_count + next_one.nested_count,
        samples_count=one.samples_count + next_one.samples_count,
        step_seconds=one.step_seconds + next_one.step_seconds,
        wait_seconds=one.wait_seconds + next_one.wait_seconds,
        event_step_seconds=one.event_step_seconds + next_one.event_step_seconds,
        event_idle_seconds=one.event_idle_seconds + next_one.event_idle_seconds,
        epoch_batches=next_one.epoch_batches,
        bins=bins,
    )


def steps_of(
    loader: WatchedLoader,
    tallies: Sequence[StepTally],
    *,
    pid: int | None,
    notebook: str,
    notebook_key: str = "",
    busy: Callable[[str, float, float], Busy | None],
) -> LoaderSteps | None:
    """Return what the tallies come to, or ``None`` where they hold no whole step.

    Parameters
    ----------
    busy
        Gives a device's busy share between two times.
    """
    whole = tallies[0] if tallies else None
    for tally in tallies[1:]:
        whole = merged(whole, tally) if whole is not None else tally
    if whole is None or not whole.count or whole.step_seconds <= 0:
        return None
    step_seconds = whole.step_seconds / whole.count
    idle_ratio = (
        min(1.0, whole.event_idle_seconds / whole.event_step_seconds)
        if whole.event_step_seconds
        else None
    )
    found = (
        busy(loader.device_uuid, whole.began_seconds, whole.ended_seconds)
        if loader.device_uuid
        else None
    )
    busy_ratio = None if found is None else min(1.0, found.percent / 100)
    return LoaderSteps(
        pid=pid,
        notebook=notebook,
        notebook_key=notebook_key,
        rank=loader.rank,
        ranks_count=loader.ranks_count,
        device_uuid=loader.device_uuid,
        loader=loader.name,
        loader_id=loader.id,
        count=whole.count,
        step_seconds=step_seconds,
        samples_per_second=whole.samples_count / whole.step_seconds
        if whole.samples_count
        else None,
        wait_ratio=min(1.0, whole.wait_seconds / whole.step_seconds),
        idle_for_data_ratio=idle_ratio,
        busy_ratio=busy_ratio,
        busy_metric=None if found is None else found.metric,
        idle_for_host_ratio=None
        if idle_ratio is None or busy_ratio is None
        else max(0.0, 1.0 - busy_ratio - idle_ratio),
        batch_size=loader.batch_size,
        batches_per_epoch=loader.batches_per_epoch,
        num_workers=loader.num_workers,
        prefetch_factor=loader.prefetch_factor,
        pin_memory=loader.pin_memory,
        persistent_workers=loader.persistent_workers,
        arguments=loader.arguments,
        worker_threads=loader.worker_threads,
        is_training=2 * whole.training_count >= whole.count,
        epoch_batches=whole.epoch_batches,
        epoch_left_seconds=_left_seconds(loader, whole.epoch_batches, step_seconds),
        last_seconds=whole.ended_seconds,
        bins=[
            StepBin(
                low_seconds=bin_seconds(number), high_seconds=bin_seconds(number + 1), count=count
            )
            for number, count in sorted((int(name), count) for name, count in whole.bins.items())
        ],
    )


def _left_seconds(loader: WatchedLoader, epoch_batches: int, step_seconds: float) -> float | None:
    if loader.batches_per_epoch is None or not math.isfinite(step_seconds):
        return None
    return max(0, loader.batches_per_epoch - epoch_batches) * step_seconds
