"""What the samples say, and how sure that is. Standard library only."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Final

Interval = dict[str, float]
"""``{"value", "low", "high"}``: an estimate with its 95 % confidence interval."""

RESAMPLES: Final = 2000
SEED: Final = 20_260
"""Fixed, so that the same samples always give the same interval."""

STUDENT_T: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantile of Student's t for 1, 2, … 9 degrees of freedom."""


def bootstrap(
    samples: Sequence[float],
    statistic: Callable[[Sequence[float]], float],
    resamples: int = RESAMPLES,
) -> Interval:
    """Return ``statistic`` of the samples with its percentile-bootstrap 95 % interval.

    The samples must be independent enough: time blocks, not single calls that come in bursts.

    Raises
    ------
    ValueError
        There are no samples.
    """
    if not samples:
        raise ValueError("an interval needs at least one sample")
    draw = random.Random(SEED)
    count = len(samples)
    estimates = sorted(statistic(draw.choices(samples, k=count)) for _ in range(resamples))
    value = statistic(samples)
    low = estimates[int(0.025 * (resamples - 1))]
    high = estimates[math.ceil(0.975 * (resamples - 1))]
    # With few samples the percentiles may miss the estimate itself; an interval holds it.
    return {"value": value, "low": min(low, value), "high": max(high, value)}


def median_interval(samples: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Return the median and its interval: for times of equal pieces of work."""
    return bootstrap(samples, statistics.median, resamples)


def mean_interval(samples: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Return the mean and its interval: for block means of a DataLoader, where the median lies."""
    return bootstrap(samples, statistics.fmean, resamples)


def mean_of_few(samples: Sequence[float]) -> Interval:
    """Return the mean of 2 to 10 samples with Student's interval: too few for a bootstrap.

    Raises
    ------
    ValueError
        There are fewer than 2 or more than 10 samples.
    """
    if not 2 <= len(samples) <= len(STUDENT_T) + 1:
        raise ValueError("Student's interval is for 2 to 10 samples here")
    mean = statistics.fmean(samples)
    half = STUDENT_T[len(samples) - 2] * statistics.stdev(samples) / math.sqrt(len(samples))
    return {"value": mean, "low": max(0.0, mean - half), "high": mean + half}


def inverse(interval: Interval, numerator: float = 1.0) -> Interval:
    """Return ``numerator / interval``: seconds a batch become samples a second."""
    return {
        "value": numerator / interval["value"],
        "low": numerator / interval["high"],
        "high": numerator / interval["low"],
    }


def half_width_ratio(interval: Interval) -> float:
    """Return half the interval's width as a share of its value."""
    if interval["value"] == 0:
        return 0.0 if interval["high"] == interval["low"] else math.inf
    return (interval["high"] - interval["low"]) / 2 / abs(interval["value"])
