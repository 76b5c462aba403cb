"""Summarize a few profiled steps: GPU kernels, copies, gaps and synchronization, with pure functions."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

NEXT: Final = "gpuperf::next"
"""Name of the range that marks each ``next()`` of the loader in the profile."""

STEP: Final = "ProfilerStep"
COPIES: Final = ("Memcpy", "Memset")
SYNCHRONIZING_CALLS: Final = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaMemcpy",
)
"""CUDA runtime calls in which the host waits for the device."""

MOST_SHOWN: Final = 5
"""Maximum number of entries of each kind in a summary."""


class ProfileEvent(NamedTuple):
    """One event of the profile; times in seconds."""

    name: str
    on_device: bool
    began: float
    ended: float
    self_cpu_seconds: float = 0.0


class ProfileEntry(NamedTuple):
    """All events of one name: how often they occurred per step, and their total seconds per step."""

    name: str
    per_step: float
    seconds_per_step: float


@dataclass(frozen=True, kw_only=True)
class StepProfile:
    """Summary of the profiled steps. Seconds are per step unless stated otherwise.

    Attributes
    ----------
    steps
        Number of profiled steps.
    step_seconds
        Duration of a step with the profiler, which slows it down.
    plain_step_seconds
        Duration of the steps just before, without the profiler; ``None`` if there were none.
    wait_seconds
        Time in which the host waited for a batch; ``None`` in a loop without a loader.
    busy_seconds
        Time in which some kernel or copy ran on the device; ``None`` without a GPU.
    idle_in_next_seconds, idle_elsewhere_seconds
        Time in which the device was idle while the host waited for a batch, and while it did not; ``None`` without a
        GPU, the first one also in a loop without a loader.
    kernel_seconds
        Mean duration of one GPU kernel; ``None`` if none ran.
    copies, syncs, kernels, operations
        The entries with the longest time, longest first.
    cost_seconds
        Total time that profiling took.
    """

    steps: int
    step_seconds: float
    plain_step_seconds: float | None
    wait_seconds: float | None
    busy_seconds: float | None
    idle_in_next_seconds: float | None
    idle_elsewhere_seconds: float | None
    kernels_per_step: float
    kernel_seconds: float | None
    gaps_per_step: float
    copies: Sequence[ProfileEntry]
    syncs: Sequence[ProfileEntry]
    kernels: Sequence[ProfileEntry]
    operations: Sequence[ProfileEntry]
    cost_seconds: float


def summarize_profile(
    events: Iterable[ProfileEvent],
    *,
    plain_step_seconds: float | None,
    cost_seconds: float,
    has_loader: bool = True,
) -> StepProfile | None:
    """Return the summary of a profile's steps; ``None`` if the profile contains no complete step."""
    everything = list(events)
    steps = [each for each in everything if each.name.startswith(STEP) and not each.on_device]
    if not steps:
        return None
    count = len(steps)
    began, ended = min(each.began for each in steps), max(each.ended for each in steps)
    within = [each for each in everything if each.ended > began and each.began < ended]
    inside = [each for each in within if not each.name.startswith(STEP)]
    on_host = [each for each in inside if not each.on_device]
    # Ranges that the host marks also appear as events of the device, but they are not work.
    host_names = {each.name for each in on_host}
    on_device = [each for each in inside if each.on_device and each.name not in host_names]
    copies = [each for each in on_device if each.name.startswith(COPIES)]
    kernels = [each for each in on_device if not each.name.startswith(COPIES)]
    waits = united([(each.began, each.ended) for each in on_host if each.name == NEXT])
    work = united([(max(began, each.began), min(ended, each.ended)) for each in on_device])
    idle = _between(work, began, ended)
    idle_in_next = _overlap(idle, waits)
    known = bool(on_device)
    mean = math.fsum(each.ended - each.began for each in kernels) / max(1, len(kernels))
    return StepProfile(
        steps=count,
        step_seconds=(ended - began) / count,
        plain_step_seconds=plain_step_seconds,
        wait_seconds=_length(waits) / count if has_loader else None,
        busy_seconds=_length(work) / count if known else None,
        idle_in_next_seconds=idle_in_next / count if known and has_loader else None,
        idle_elsewhere_seconds=(_length(idle) - idle_in_next) / count if known else None,
        kernels_per_step=len(kernels) / count,
        kernel_seconds=mean if kernels else None,
        gaps_per_step=len(idle) / count if known else 0.0,
        copies=_shares(copies, count),
        syncs=_shares([each for each in on_host if each.name in SYNCHRONIZING_CALLS], count),
        kernels=_shares(kernels, count),
        operations=_shares(
            [each for each in on_host if not each.name.startswith("cuda") and each.name != NEXT],
            count,
            lambda each: each.self_cpu_seconds,
        ),
        cost_seconds=cost_seconds,
    )


def united(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the spans in order, with those that touch or overlap merged."""
    merged: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return merged


def _between(
    spans: Sequence[tuple[float, float]], began: float, ended: float
) -> list[tuple[float, float]]:
    """Return the gaps that ordered, non-overlapping spans leave between ``began`` and ``ended``."""
    edges = [began, *itertools.chain.from_iterable(spans), ended]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return [(first, last) for first, last in gaps if last > first]


def _overlap(spans: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    pairs = itertools.product(spans, others)
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in pairs)


def _length(spans: Sequence[tuple[float, float]]) -> float:
    return sum(ended - began for began, ended in spans)


def _shares(
    events: Sequence[ProfileEvent],
    steps: int,
    seconds_of: Callable[[ProfileEvent], float] = lambda each: each.ended - each.began,
) -> list[ProfileEntry]:
    times: dict[str, list[float]] = defaultdict(list)
    for each in events:
        times[each.name].append(seconds_of(each))
    shares = [
        ProfileEntry(name, len(all_) / steps, sum(all_) / steps) for name, all_ in times.items()
    ]
    return sorted(shares, key=lambda share: -share.seconds_per_step)[:MOST_SHOWN]
