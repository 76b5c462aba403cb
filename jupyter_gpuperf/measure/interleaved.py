"""Compare variants of a workload by measuring them alternately, so that any drift affects all of them equally.

Each round measures every variant once, in the reverse order of the previous round. Measuring one variant completely
before the next would favor the one that runs while the chip is cool. This module uses only the standard library.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jupyter_gpuperf.measure.statistics import (
    RESAMPLES,
    Interval,
    half_width_ratio,
    median_interval,
    small_sample_geometric_mean,
)
from jupyter_gpuperf.measure.stopping import (
    FEWEST_BLOCKS,
    INTERIM_RESAMPLES,
    MOST_BLOCKS,
    not_converged_warning,
)
from jupyter_gpuperf.messages import Message

FEWEST_ROUNDS: Final = FEWEST_BLOCKS
MOST_ROUNDS: Final = MOST_BLOCKS
MEDIAN_ROUNDS: Final = 5
"""Minimum number of rounds for a bootstrap interval of the median. With fewer rounds, even the range from the smallest
to the largest sample misses the true value too often, so Student's t interval is used instead.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interleaved:
    """The measurements of all variants.

    Parameters
    ----------
    samples
        Variant → its samples in seconds per call, one per round, in the order of the rounds.
    doubt
        A warning if an interval is wider than requested, otherwise ``None``.
    """

    samples: dict[str, list[float]]
    doubt: str | None

    def median(self, name: str) -> Interval:
        """Return the median of a variant with its 95 % interval; for two to four rounds, the geometric mean."""
        return _middle(self.samples[name])

    def speedup(self, name: str, reference: str) -> Interval:
        """Return the speedup of the variant ``name`` over ``reference``, with its 95 % interval."""
        return paired_ratio(self.samples[reference], self.samples[name])

    def figures(self, suffix: str, reference: str) -> dict[str, Interval]:
        """Return the figures of all variants: ``<name>_<suffix>`` and, except for the reference, ``<name>_speedup``."""
        found: dict[str, Interval] = {}
        for name in self.samples:
            found[f"{name}_{suffix}"] = self.median(name)
            if name != reference:
                found[f"{name}_speedup"] = self.speedup(name, reference)
        return found


def time_interleaved(
    variants: Mapping[str, Callable[[], float]],
    *,
    target_ratio: float,
    limit_seconds: float,
    fewest_rounds: int = 1,
    room_rounds: float = 0.0,
    earlier: Mapping[str, Sequence[float]] = MappingProxyType({}),
    progress: Callable[[float, str], None] = lambda ratio, message: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Interleaved:
    """Measure all variants in rounds until their intervals are narrow enough, or the time is up.

    A started round is always completed, because the samples of a round are compared with each other.

    Parameters
    ----------
    variants
        Name → function that measures once and returns seconds per call. Variants must be warmed up.
    target_ratio
        The half-width of each interval, as a share of its median, at which measuring ends.
    fewest_rounds
        Minimum number of rounds, regardless of the time limit: a single sample has no interval.
    room_rounds
        Another round begins only if this share of an average round fits into the remaining time.
    earlier
        Samples of earlier rounds, which the new ones continue.
    progress
        Called with a ratio from 0 to 1 and a short text.
    """
    samples: dict[str, list[float]] = {name: [*earlier.get(name, ())] for name in variants}
    order = list(variants)
    began = clock()
    widest = math.inf
    rounds = before = min(map(len, samples.values()))
    while True:
        for name in order:
            samples[name].append(variants[name]())
        order.reverse()
        rounds += 1
        used_ratio = (clock() - began) / limit_seconds
        is_over = used_ratio * (1 + room_rounds / (rounds - before)) >= 1
        progress(min(1.0, used_ratio), _so_far(samples))
        # Computing the intervals takes longer than a short block: do it every round at first, and less often later.
        if rounds >= FEWEST_ROUNDS and (rounds < 32 or rounds % 8 == 0):
            widest = _widest(samples)
        enough = widest <= target_ratio or is_over or rounds >= MOST_ROUNDS
        if enough and rounds >= fewest_rounds:
            break
    if math.isinf(widest) and rounds > 1:
        widest = _widest(samples)  # needed for the message; the loop skips it for so few rounds
    return Interleaved(samples=samples, doubt=_doubt(widest, target_ratio, rounds))


def paired_ratio(
    reference: Sequence[float], other: Sequence[float], resamples: int = RESAMPLES
) -> Interval:
    """Return the median of ``reference / other`` over the rounds, with its 95 % interval.

    For two to four rounds, return the geometric mean instead of the median.

    Raises
    ------
    ValueError
        The numbers of samples differ, or there are no samples.
    """
    ratios = [first / second for first, second in zip(reference, other, strict=True)]
    return _middle(ratios, resamples)


def _middle(samples: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    if 2 <= len(samples) < MEDIAN_ROUNDS:
        return small_sample_geometric_mean(samples)
    return median_interval(samples, resamples)


def _widest(samples: Mapping[str, Sequence[float]]) -> float:
    return max(half_width_ratio(_middle(each, INTERIM_RESAMPLES)) for each in samples.values())


def _so_far(samples: Mapping[str, Sequence[float]]) -> str:
    best = min(samples, key=lambda name: statistics.median(samples[name]))
    return f"{best} {1000 * statistics.median(samples[best]):.3g} ms"


def _doubt(widest: float, target_ratio: float, rounds: int) -> str | None:
    if widest <= target_ratio:
        return None
    if math.isinf(widest):
        return Message("One round is too few for an interval. Raise the time limit.")
    return not_converged_warning(widest, target_ratio, rounds)
