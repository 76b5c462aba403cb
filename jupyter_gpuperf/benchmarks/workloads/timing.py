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


class Stopwatch:
    """Tells the context how far it is, and in the end of an interval that stayed wide.

    Parameters
    ----------
    parameters
        ``time_limit_seconds``, and ``rigorous`` where the benchmark has it.
    share
        Of the time limit.
    """

    def __init__(self, parameters: Mapping[str, Any], context: Context, share: float = 1.0) -> None:
        self._context = context
        self._target_ratio = target_ratio(parameters.get("rigorous", False))
        self._limit_seconds = share * parameters["time_limit_seconds"]

    def call(
        self,
        call: Callable[[], object],
        device: Any,
        words: Callable[[float], str],
        **options: Any,  # of time_call
    ) -> Timing:
        """Time a piece of work on a device; ``words`` puts the median seconds so far into words."""
        timing = time_call(
            call,
            device=device,
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            progress=lambda ratio, seconds: self._context.progress(ratio, words(seconds)),
            **options,
        )
        self._context.doubt(timing.doubt)
        return timing

    def in_turn(self, variants: Mapping[str, Callable[[], float]]) -> Interleaved:
        """Compare variants, each of which measures itself once."""
        found = time_interleaved(
            variants,
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            progress=self._context.progress,
        )
        self._context.doubt(found.doubt)
        return found

    def blocks(
        self,
        block: Callable[[], float],
        words: Callable[[float], str],
        interval_of: Callable[[Sequence[float], int], Interval] = median_interval,
    ) -> list[float]:
        """Return what a block measured each time; ``words`` puts the latest into words."""
        rule = StopRule(
            target_ratio=self._target_ratio,
            limit_seconds=self._limit_seconds,
            interval_of=interval_of,
        )
        rule.run(block, lambda ratio, blocks: self._context.progress(ratio, words(blocks[-1])))
        self._context.doubt(rule.doubt())
        return rule.blocks
