"""Compute estimates from samples, with their 95 % intervals. This module uses only the standard library."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Final

Interval = dict[str, float]
"""``{"value", "low", "high"}``: an estimate with its 95 % confidence interval."""

RESAMPLES: Final = 2000
"""Number of bootstrap resamples for a final interval."""
SEED: Final = 20_260
"""Fixed seed of the bootstrap, so that the same samples always have the same interval."""

MOST_ORDERED: Final = 30
STUDENT_T: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1, 2, … 9 degrees of freedom."""


def bootstrap(
    samples: Sequence[float],
    statistic: Callable[[Sequence[float]], float],
    resamples: int = RESAMPLES,
) -> Interval:
    """Return ``statistic`` of the samples with its 95 % percentile-bootstrap interval.

    The samples must be nearly independent: use blocks of calls, not single calls that are fast or slow in bursts.

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
    # With few samples, the percentiles may not enclose the estimate, but an interval must.
    return {"value": value, "low": min(low, value), "high": max(high, value)}


def median_interval(samples: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Return the median with its interval. Use it for times of identical workloads.

    The bootstrap of few samples is too narrow: of two, it encloses the median only every second time. So up to
    :data:`MOST_ORDERED` samples, the ends are order statistics, which are right for any distribution. Fewer than six
    have no such interval; there it is Student's t around the median, which assumes that they are about normal.
    """
    count = len(samples)
    if count < 2 or count > MOST_ORDERED:
        return bootstrap(samples, statistics.median, resamples)
    value, ordered = statistics.median(samples), sorted(samples)
    # The median lies below the kth smallest sample with the probability of fewer than k heads in ``count`` tosses.
    tails = itertools.accumulate(math.comb(count, heads) / 2**count for heads in range(count))
    outside = sum(tail <= 0.025 for tail in tails)
    if outside:
        return {"value": value, "low": ordered[outside - 1], "high": ordered[-outside]}
    _, half = _student(samples)
    # Times are positive.
    low = max(0.0, value - half) if ordered[0] >= 0 else value - half
    return {"value": value, "low": low, "high": value + half}


def exact_interval(value: float) -> Interval:
    """Return an exact value as an interval of width 0, which is displayed as a plain number."""
    return {"value": value, "low": value, "high": value}


def mean_interval(samples: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Return the mean with its interval. Use it for block means of a DataLoader, for which the median is misleading."""
    return bootstrap(samples, statistics.fmean, resamples)


def small_sample_mean(samples: Sequence[float]) -> Interval:
    """Return the mean of 2 to 10 samples, too few for a bootstrap, with Student's t interval.

    Raises
    ------
    ValueError
        There are fewer than 2 or more than 10 samples.
    """
    mean, half = _student(samples)
    return {"value": mean, "low": max(0.0, mean - half), "high": mean + half}


def small_sample_geometric_mean(samples: Sequence[float]) -> Interval:
    """Return the geometric mean of 2 to 10 samples with Student's t interval, computed from their logarithms.

    Use it for times and ratios of a few rounds. The interval never reaches zero, and the result for ``a / b`` is the
    inverse of the result for ``b / a``.

    Raises
    ------
    ValueError
        There are fewer than 2 or more than 10 samples, or a sample is not above zero.
    """
    return _of_logarithms(*_student([math.log(each) for each in samples]))


def _student(samples: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the half-width of Student's t interval."""
    if not 2 <= len(samples) <= len(STUDENT_T) + 1:
        raise ValueError("Student's t interval needs 2 to 10 samples here")
    half = STUDENT_T[len(samples) - 2] * statistics.stdev(samples) / math.sqrt(len(samples))
    return statistics.fmean(samples), half


def _of_logarithms(middle: float, half: float) -> Interval:
    ends = {"value": middle, "low": middle - half, "high": middle + half}
    return {name: math.exp(each) for name, each in ends.items()}


def welch_ratio(
    before: Sequence[float], after: Sequence[float], confidence: float = 0.95
) -> Interval:
    """Return the ratio ``after / before`` of the geometric means of independent runs, with its interval.

    This is Welch's interval of the logarithms, so the two sides may have different variances. Each side needs at least
    two runs; with two, the interval is wide.

    Raises
    ------
    ValueError
        A side has fewer than two runs, or a value is not above zero.
    """
    if min(len(before), len(after)) < 2:
        raise ValueError("a ratio of runs needs at least two on each side")
    logs = [[math.log(value) for value in side] for side in (before, after)]
    difference = statistics.fmean(logs[1]) - statistics.fmean(logs[0])
    parts = [statistics.variance(side) / len(side) for side in logs]
    if not any(parts):
        return _of_logarithms(difference, 0.0)
    terms = (part**2 / (len(side) - 1) for part, side in zip(parts, logs, strict=True))
    freedom = sum(parts) ** 2 / sum(terms)
    quantile = student_t_quantile(0.5 + confidence / 2, freedom)
    return _of_logarithms(difference, quantile * math.sqrt(sum(parts)))


def student_t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t for a probability above one half and ``freedom`` degrees of freedom.

    The quantile is found by bisection. The distribution is integrated with Simpson's rule over an angle: with
    ``t = sqrt(freedom) tan(angle)``, the density becomes a power of the cosine.
    """
    low, high = 0.0, math.pi / 2
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    for _ in range(60):
        angle = (low + high) / 2
        if 0.5 + scale * _cosine_integral(angle, freedom - 1) < probability:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _cosine_integral(angle: float, power: float, pieces: int = 400) -> float:
    step = angle / pieces
    values = [float(math.cos(index * step) ** power) for index in range(pieces + 1)]
    return step / 3 * (values[0] + values[-1] + 4 * sum(values[1::2]) + 2 * sum(values[2:-1:2]))


def inverse(interval: Interval, numerator: float = 1.0) -> Interval:
    """Return ``numerator / interval`` as an interval, such as samples per second from seconds per batch."""
    value, low, high = (numerator / interval[name] for name in ("value", "high", "low"))
    return {"value": value, "low": low, "high": high}


def half_width_ratio(interval: Interval) -> float:
    """Return the half-width of an interval as a share of its value.

    Infinite if the value is zero but its interval is not.
    """
    if interval["value"] == 0:
        return 0.0 if interval["high"] == interval["low"] else math.inf
    return (interval["high"] - interval["low"]) / 2 / abs(interval["value"])
