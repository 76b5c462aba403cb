"""Compute a loop's step figures from its tallies in a time window, with pure functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.schemas.phases import PHASES, FollowedSteps, Phase, PhaseSeconds
from jupyter_gpuperf.schemas.step_bins import SHORTEST_STEP_SECONDS, StepBin, bin_seconds
from jupyter_gpuperf.schemas.training import (
    MEMORY,
    BoundedBy,
    LoopSteps,
    StepTally,
    WatchedLoop,
    merged,
)

if TYPE_CHECKING:  # it needs the sampler, which takes a script's processes long to import
    from jupyter_gpuperf.loop_store.device_usage import BusyShare

AS_RECENT_SECONDS: Final = 10.0
"""Loops whose latest steps are about as old as each other keep their order."""
SETTINGS: Final = set(WatchedLoop.__struct_fields__) & set(LoopSteps.__struct_fields__)


def steps_of(
    loader: WatchedLoop,
    tallies: Sequence[StepTally],
    *,
    pid: int | None,
    notebook: str,
    notebook_key: str = "",
    busy: Callable[[str, float, float], BusyShare | None],
    clock_mhz: Callable[[str, float, float], float | None] = lambda *_: None,
) -> LoopSteps | None:
    """Return the step figures of the tallies, or ``None`` if they contain no complete step.

    Parameters
    ----------
    busy
        Returns the busy share of a device (UUID) between two Unix times.
    clock_mhz
        Returns the mean SM clock of a device, likewise.
    """
    if not tallies:
        return None
    whole = functools.reduce(merged, tallies)
    if not whole.count or whole.step_seconds < SHORTEST_STEP_SECONDS:
        return None
    step_seconds = whole.step_seconds / whole.count
    idle_ratio = None
    if whole.event_step_seconds:
        idle_ratio = min(1.0, whole.event_idle_seconds / whole.event_step_seconds)
    uuid = loader.device_uuid
    share = busy(uuid, whole.began_seconds, whole.ended_seconds) if uuid else None
    busy_ratio = min(1.0, max(0.0, share.percent / 100)) if share else None
    batches = loader.batches_per_epoch
    work = whole.followed.work if whole.followed else {}
    means = {name: each.mean() for name, each in work.items()}
    rates = {name: mean and mean / step_seconds for name, mean in means.items()}
    return LoopSteps(
        **_flops(loader, means.get("flops"), rates.get("flops"), whole, clock_mhz),
        **{name: getattr(loader, name) for name in SETTINGS},
        **{name: getattr(whole, name) for name in MEMORY},
        pid=pid,
        notebook=notebook,
        notebook_key=notebook_key,
        loader=loader.name,
        loader_id=loader.id,
        count=whole.count,
        step_seconds=step_seconds,
        samples_per_second=whole.samples_count / whole.step_seconds or rates.get("samples"),
        tokens_per_second=rates.get("tokens"),
        wait_ratio=min(1.0, whole.wait_seconds / whole.step_seconds)
        if loader.bounded_by == "loader"
        else None,
        idle_for_data_ratio=idle_ratio,
        busy_ratio=busy_ratio,
        busy_metric=share.metric if share else None,
        idle_for_host_ratio=None
        if idle_ratio is None or busy_ratio is None
        else max(0.0, 1.0 - busy_ratio - idle_ratio),
        is_training=2 * whole.training_count >= whole.count,
        epoch_batches=whole.epoch_batches,
        epoch_left_seconds=None
        if batches is None
        else max(0, batches - whole.epoch_batches) * step_seconds,
        phases=mean_phases(whole.followed, loader.bounded_by) if whole.followed else None,
        last_seconds=whole.ended_seconds,
        bins=[
            StepBin(low_seconds=bin_seconds(bin_), high_seconds=bin_seconds(bin_ + 1), count=count)
            for bin_, count in sorted(whole.bins.items())
        ],
    )


def _flops(
    loader: WatchedLoop,
    per_step: float | None,
    per_second: float | None,
    whole: StepTally,
    clock_mhz: Callable[[str, float, float], float | None],
) -> dict[str, Any]:
    """Return the model FLOPs of a step, and their rate over the device's peak and over that at its clock."""
    if loader.flops_format is None or not per_step or not per_second:
        return {}
    peak, peak_clock, uuid = loader.peak_flops_per_second, loader.peak_clock_mhz, loader.device_uuid
    ratio = per_second / peak if peak else None
    clock = clock_mhz(uuid, whole.began_seconds, whole.ended_seconds) if uuid and ratio else None
    return {
        "flops_per_step": per_step,
        "flops_utilization_ratio": ratio,
        "flops_utilization_at_clock_ratio": ratio * peak_clock / clock
        if ratio and peak_clock and clock
        else None,
    }


def mean_phases(followed: FollowedSteps, bounded_by: BoundedBy) -> dict[Phase, PhaseSeconds]:
    """Return the mean times per step of all phases, with those that are unknown, and without those that did not occur."""
    unknown = {"copy"} if not followed.has_forward else set()
    if bounded_by != "loader":
        unknown |= {"copy"} if "data" in followed.phases else {"data", "copy"}
    return {
        phase: PhaseSeconds()
        if phase in unknown
        else _mean(followed.phases.get(phase), followed.count)
        for phase in PHASES
    }


def _mean(sums: PhaseSeconds | None, count: int) -> PhaseSeconds:
    if sums is None:  # it does not occur
        return PhaseSeconds(host_seconds=0.0)
    values = {name: getattr(sums, name) for name in PhaseSeconds.__struct_fields__}
    return PhaseSeconds(**{name: each and each / count for name, each in values.items()})


def main_first(loaders: Sequence[LoopSteps | None]) -> list[LoopSteps]:
    """Return the loaders, without ``None``, in display order: training first, then the most recent."""
    return sorted(
        (each for each in loaders if each is not None),
        key=lambda each: (
            not each.is_training,
            -round(each.last_seconds / AS_RECENT_SECONDS),
            each.rank
            or 0,  # always the same rank first, because the page's status band shows only one
        ),
    )
