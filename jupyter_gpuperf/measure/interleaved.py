"""Compare variants of a workload in turn, forwards and backwards, so that a drift affects all alike.

Measuring one variant after the other would favor the one that runs while the chip is cool. Standard library only.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    not_converged,
)
from jupyter_gpuperf.messages import Message

FEWEST_ROUNDS: Final = FEWEST_BLOCKS
MOST_ROUNDS: Final = MOST_BLOCKS
MEDIAN_ROUNDS: Final = 5
"""Fewest rounds for a bootstrap interval of the median. With fewer it spans at best the smallest and the largest
sample, which miss the true value too often; Student's interval is used instead.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interleaved:
    """The measurements, one sample per variant and round, in the order of the rounds.

    Parameters
    ----------
    doubt
        A sentence if an interval stayed wider than requested, else ``None``.
    """

    samples: dict[str, list[float]]
    doubt: str | None

    def median(self, name: str) -> Interval:
        """Return a variant's median with its interval; for two to four rounds, the geometric mean."""
        return _middle(self.samples[name])

    def speedup(self, name: str, reference: str) -> Interval:
        """Return how many times faster ``name`` is than ``reference``; below 1 it is slower."""
        return paired_ratio(self.samples[reference], self.samples[name])

    def figures(self, suffix: str, reference: str) -> dict[str, Interval]:
        """Return each variant's median as ``<name>_<suffix>``, and ``<name>_speedup`` of all but the reference."""
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
    progress: Callable[[float, str], None] = lambda ratio, message: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Interleaved:
    """Measure all variants in rounds until each median is known to ``target_ratio``, or time is up.

    Makes at least ``fewest_rounds`` rounds. Only whole rounds are kept, because the samples of a round are pairs.

    Parameters
    ----------
    variants
        Name → function that measures once and returns seconds per call. Variants must be warmed up.
    fewest_rounds
        Rounds to make regardless of the time limit: a single sample has no interval.
    room_rounds
        The share of a round of average length that must fit into the remaining time for another round to begin.
    progress
        Takes a ratio from 0 to 1 and a short text.
    """
    samples: dict[str, list[float]] = {name: [] for name in variants}
    order = list(variants)
    began = clock()
    widest = math.inf
    rounds = 0
    while True:
        for name in order:
            samples[name].append(variants[name]())
        order.reverse()
        rounds += 1
        used_ratio = (clock() - began) / limit_seconds
        is_over = used_ratio * (1 + room_rounds / rounds) >= 1
        progress(min(1.0, used_ratio), _so_far(samples))
        # The check costs more than a short block: check every round at first, less often later.
        if rounds >= FEWEST_ROUNDS and (rounds < 32 or rounds % 8 == 0):
            widest = _widest(samples)
        enough = widest <= target_ratio or is_over or rounds >= MOST_ROUNDS
        if enough and rounds >= fewest_rounds:
            break
    if math.isinf(widest) and rounds > 1:
        widest = _widest(samples)  # only for the message; this few rounds never end the loop
    return Interleaved(samples=samples, doubt=_doubt(widest, target_ratio, rounds))


def paired_ratio(
    reference: Sequence[float], other: Sequence[float], resamples: int = RESAMPLES
) -> Interval:
    """Return the median of ``reference / other`` over the rounds, with its 95 % interval.

    For two to four rounds it is the geometric mean.

    Raises
    ------
    ValueError
        The samples are not of the same rounds, or there are none.
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
    return not_converged(widest, target_ratio, rounds)
