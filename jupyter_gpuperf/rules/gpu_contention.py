"""Detect that several programs share a device's time."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import ProcessListing, is_value
from jupyter_gpuperf.rules.threshold import Threshold

SHARE_PERCENT = Threshold(
    5.0,
    reason="Of the device's time, for each of two programs. A program that only holds memory uses none.",
    margin="An idle program uses 0 by definition; two training programs were recorded without their shares.",
)
BUSY_RATIO = Threshold(
    0.5, reason="A device with time to spare can be shared.", margin="Two training programs 0.97."
)
TOGETHER_RATIO = Threshold(
    0.3,
    reason="Of the listings: programs that run one after the other overlap briefly.",
    margin="Two programs that train together during half of a recording 0.5.",
)


def _check(view: View) -> Finding | None:
    start, end = view.series.times_seconds[0], view.series.times_seconds[-1]
    listings = [each for each in view.device.listings if start <= each.time_seconds <= end]
    together = [each for each in listings if len(each.processes) > 1]
    if not listings or len(together) < TOGETHER_RATIO * len(listings):
        return None
    return _decided(view, together) if any(map(_is_known, together)) else _undecided(view, together)


def _decided(view: View, together: list[ProcessListing]) -> Finding | None:
    working = {pid: share for pid, share in _shares(together).items() if share >= SHARE_PERCENT}
    if len(working) < 2 or view.work.busy_ratio < BUSY_RATIO:
        return None
    largest_first = sorted(working, key=lambda pid: -working[pid])
    largest, total = working[largest_first[0]], sum(working.values())
    names = {each.pid: each.notebook for listing in together for each in listing.processes}
    return Finding(
        severity="warning",
        summary=Message(
            "{programs} programs share this GPU: the largest gets {largest:.0f} %, the others {others:.0f} % of its time.",
            programs=len(working),
            largest=largest,
            others=total - largest,
        ),
        evidence={
            "programs_count": float(len(working)),
            "busy_ratio": view.work.busy_ratio,
            **{f"{names[pid] or f'process {pid}'}_percent": working[pid] for pid in largest_first},
        },
        lost_ratio=1 - largest / total,
        advice="They slow each other down. Run them in turn, or on different GPUs (CUDA_VISIBLE_DEVICES).",
        refuted_by="Pause one of them: if the other is no faster, they don't affect each other.",
    )


def _undecided(view: View, together: list[ProcessListing]) -> Finding:
    count = max(len(each.processes) for each in together)
    return Finding(
        severity="info",
        confidence="suspected",
        summary=Message(
            "{count} programs use this GPU; it is unknown which are active.", count=count
        ),
        evidence={"programs_count": float(count), "busy_ratio": view.work.busy_ratio},
        advice="See the process list for the others, and shut down those that you don't need.",
        refuted_by="If only one of the programs computes and the others just hold memory, they do not slow each other down.",
    )


def _is_known(listing: ProcessListing) -> bool:
    # Every process must have a value: a single value proves nothing. If the driver's process list and its utilization
    # list use different pids, no process has a value.
    return all(is_value(each.sm_utilization_percent) for each in listing.processes)


def _shares(together: list[ProcessListing]) -> dict[int, float]:
    known = [listing for listing in together if _is_known(listing)]
    totals: defaultdict[int, float] = defaultdict(float)
    for each in chain.from_iterable(listing.processes for listing in known):
        totals[each.pid] += float(each.sm_utilization_percent)
    return {pid: total / len(known) for pid, total in totals.items()}


RULE = Rule(
    code="gpu-contention",
    title="Shared with other programs",
    meaning="Two or more programs compute on the GPU and take turns.",
    check=_check,
)
