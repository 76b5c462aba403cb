"""Average a slow reading over a span.

A slow reading is taken every few seconds, and repeated until the next one. It covers the time since the previous one.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from jupyter_gpuperf.sources.metric_reader import SLOW_SECONDS

LATE_SECONDS: Final = 1.0
"""Maximum delay of a reading. A value that is shown for less time than this is the mean of two readings."""

LEAST_COVERED_RATIO: Final = 0.4
"""Minimum share of a span that whole readings must cover. A span of 10 s contains at least one (5 s)."""


def mean_within(
    series: Iterable[tuple[float, float]], began_seconds: float, ended_seconds: float
) -> float | None:
    """Return the mean of the readings that cover only time within the span.

    The value at the start of a span was read before it, and the next reading also covers time before it. If these two
    were included, a device that is busy from a loop's first step on would seem idle for ten seconds.

    Parameters
    ----------
    series
        Times and values from the history, in order.

    Returns
    -------
    float | None
        ``None`` if the readings cover too little of the span.
    """
    read: list[tuple[float, float]] = []
    for time, value in series:
        if not began_seconds <= time <= ended_seconds:
            continue
        since = time - read[-1][0] if read else SLOW_SECONDS
        if read and value == read[-1][1]:
            if since < SLOW_SECONDS + LATE_SECONDS:
                continue  # the same reading; after a longer time, it is a new one with the same value
        elif len(read) > 1 and since < LATE_SECONDS:
            read[-1] = (read[-1][0], value)
            continue
        read.append((time, value))
    # The first value was read before the span, and the second one also covers time before it.
    pieces = [(time - earlier, value) for (earlier, _), (time, value) in pairwise(read[1:])]
    covered = sum(seconds for seconds, _ in pieces)
    if covered < LEAST_COVERED_RATIO * (ended_seconds - began_seconds):
        return None
    return sum(seconds * value for seconds, value in pieces) / covered
