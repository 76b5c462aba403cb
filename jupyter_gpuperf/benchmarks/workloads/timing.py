"""Timing as a benchmark's parameters ask for it: until the interval is narrow, or the time limit has passed.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.measure.interleaved import Interleaved, time_interleaved
from jupyter_gpuperf.measure.statistics import Interval, median_interval
from jupyter_gpuperf.measure.stopping import StopRule, target_ratio
from jupyter_gpuperf.measure.timer import Timing, time_call


def time_one(
    call: Callable[[], object],
    device: Any,
    parameters: Mapping[str, Any],
    context: Context,
    *,
    words: Callable[[float], str],
    share: float = 1.0,
    **options: Any,  # of time_call
) -> Timing:
    """Time one piece of work on a device, within a share of the time limit.

    Parameters
    ----------
    words
        Puts the median seconds so far into words.
    """
    timing = time_call(
        call,
        device=device,
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=share * parameters["time_limit_seconds"],
        progress=lambda ratio, seconds: context.progress(ratio, words(seconds)),
        **options,
    )
    context.doubt(timing.doubt)
    return timing


def time_in_turn(
    variants: Mapping[str, Callable[[], float]],
    parameters: Mapping[str, Any],
    context: Context,
    *,
    share: float = 1.0,
) -> Interleaved:
    """Compare variants, each of which measures itself once, within a share of the time limit."""
    found = time_interleaved(
        variants,
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=share * parameters["time_limit_seconds"],
        progress=context.progress,
    )
    context.doubt(found.doubt)
    return found


def time_blocks(
    block: Callable[[], float],
    parameters: Mapping[str, Any],
    context: Context,
    *,
    words: Callable[[float], str],
    share: float = 1.0,
    interval_of: Callable[[Sequence[float], int], Interval] = median_interval,
) -> list[float]:
    """Return what a block measured each time, within a share of the time limit.

    Parameters
    ----------
    words
        Puts the latest block into words.
    """
    rule = StopRule(
        target_ratio=target_ratio(parameters.get("rigorous", False)),
        limit_seconds=share * parameters["time_limit_seconds"],
        interval_of=interval_of,
    )
    rule.run(block, lambda ratio, blocks: context.progress(ratio, words(blocks[-1])))
    context.doubt(rule.doubt())
    return rule.blocks
