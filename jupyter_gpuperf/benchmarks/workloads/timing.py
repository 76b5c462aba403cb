"""Time a benchmark's calls until the interval is narrow, or the time limit that its parameters set has passed.

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


class Stopwatch:
    """Timer for a benchmark. Reports progress to the context, and warns if an interval stays wide.

    Parameters
    ----------
    parameters
        The benchmark's parameters, including ``time_limit_seconds`` and possibly ``rigorous``.
    share
        Share of the time limit that this timer may use.
    """

    def __init__(self, parameters: Mapping[str, Any], context: Context, share: float = 1.0) -> None:
        self._context = context
        self._target_ratio = target_ratio(parameters.get("rigorous", False))
        self._limit_seconds = share * parameters["time_limit_seconds"]

    def call(
        self,
        call: Callable[[], object],
        device: Any,
        describe: Callable[[float], str],
        **options: Any,  # passed to time_call
    ) -> Timing:
        """Time a call on a device. ``describe`` formats the median seconds so far as a progress message."""
        timing = time_call(
            call,
            device=device,
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            progress=lambda ratio, seconds: self._context.progress(ratio, describe(seconds)),
            **options,
        )
        self._context.doubt(timing.doubt)
        return timing

    def in_turn(self, variants: Mapping[str, Callable[[], float]]) -> Interleaved:
        """Measure variants in alternation. Each is a function that times itself once and returns the seconds."""
        timings = time_interleaved(
            variants,
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            progress=self._context.progress,
        )
        self._context.doubt(timings.doubt)
        return timings

    def blocks(
        self,
        block: Callable[[], float],
        describe: Callable[[float], str],
        interval_of: Callable[[Sequence[float], int], Interval] = median_interval,
    ) -> list[float]:
        """Call ``block`` repeatedly and return all results. ``describe`` formats the latest as a progress message."""
        rule = StopRule(
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            interval_of=interval_of,
        )
        rule.run(block, lambda ratio, blocks: self._context.progress(ratio, describe(blocks[-1])))
        self._context.doubt(rule.doubt())
        return rule.blocks
