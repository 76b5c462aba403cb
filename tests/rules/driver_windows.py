"""What a driver without GPM reports of a loop that works and rests in turn, to a sampler that asks once a second.

As recorded on an H100: the utilization is that of a window of a fifth of a second, and the power of an Ampere or newer
chip (not the A100) an average over a second.
"""

from __future__ import annotations

import random

from made import GIB, HOST, times

from jupyter_gpuperf.rules import Device, ReadingSeries, RuleInput

SECONDS, STEP_SECONDS = 60.0, 0.01
WINDOW_SECONDS = 0.2
RESTING_WATTS, WORKING_WATTS = 60.0, 320.0
AVERAGED, INSTANT = "8.6", "8.0"
"""Compute capabilities: of an RTX 3090, and of an A100, whose power is that of the moment."""


def seen(
    work_seconds: float,
    rest_seconds: float,
    *,
    begin_seconds: float = 0.0,
    interval_seconds: float = 1.0,
    uneven: float = 0.05,
    compute_capability: str = AVERAGED,
    seed: int = 1,
    **host: float,
) -> RuleInput:
    """Return the readings of a loop.

    Parameters
    ----------
    begin_seconds
        When the first batch begins.
    uneven
        How much the lengths of single batches and waits differ, as a share.
    host
        Readings of the host beside those of a busy core.
    """
    busy = _busy(work_seconds, rest_seconds, begin_seconds, uneven, random.Random(seed))
    moments = [each for each in times(interval_seconds) if each >= 2.0]
    windows = [int(each / WINDOW_SECONDS) * WINDOW_SECONDS for each in moments]
    utilization = [100 * _mean(busy, end - WINDOW_SECONDS, end) for end in windows]
    powered = 1.0 if compute_capability == AVERAGED else STEP_SECONDS
    power = [
        RESTING_WATTS + (WORKING_WATTS - RESTING_WATTS) * _mean(busy, end - powered, end)
        for end in moments
    ]
    columns = {
        "utilization_percent": [float(round(each)) for each in utilization],
        "memory_controller_percent": [float(round(0.6 * each)) for each in utilization],
        "power_watts": power,
        "memory_used_bytes": [8 * GIB] * len(moments),
        "memory_total_bytes": [24 * GIB] * len(moments),
        "sm_active_percent": ["not_supported"] * len(moments),
    }
    device = Device(
        uuid="GPU",
        index=0,
        name="GPU",
        series=ReadingSeries(times_seconds=moments, columns=columns),
        compute_capability=compute_capability,
    )
    machine = {name: [value] * len(moments) for name, value in {**HOST, **host}.items()}
    return RuleInput(host=ReadingSeries(times_seconds=moments, columns=machine), devices=(device,))


def _busy(
    work: float, rest: float, begin: float, uneven: float, chance: random.Random
) -> list[bool]:
    busy = [False] * int(begin / STEP_SECONDS)
    while len(busy) < SECONDS / STEP_SECONDS:
        for is_working, usual in ((True, work), (False, rest)):
            seconds = usual * chance.uniform(1 - uneven, 1 + uneven)
            busy += [is_working] * max(1, round(seconds / STEP_SECONDS))
    return busy


def _mean(busy: list[bool], start: float, end: float) -> float:
    part = busy[round(start / STEP_SECONDS) : round(end / STEP_SECONDS)]
    return sum(part) / len(part) if part else 0.0
