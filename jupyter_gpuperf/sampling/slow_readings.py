"""Average a slow reading over a span. It is taken every few seconds, covers the time before it, and is repeated."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from jupyter_gpuperf.sources.metric_reader import SLOW_SECONDS

LATE_SECONDS: Final = 1.0
"""The largest delay of a reading. A value replaced sooner than this is not a reading but a mean of two."""

LEAST_COVERED_RATIO: Final = 0.4
"""Readings must cover this share of a span: ten seconds contain at least one whole reading."""


def mean_within(
    shown: Iterable[tuple[float, float]], began_seconds: float, ended_seconds: float
) -> float | None:
    """Return the mean of the readings for which all the time that they cover lies within the span.

    The value shown at a loop's start was read before it, and the next reading also covers some of that time: a device
    that is busy from the first step on would seem idle for ten seconds.

    Parameters
    ----------
    shown
        Times and values of the history, in order.

    Returns
    -------
    float | None
        ``None`` where the readings cover too little of the span.
    """
    read: list[tuple[float, float]] = []
    for time, value in shown:
        if not began_seconds <= time <= ended_seconds:
            continue
        since = time - read[-1][0] if read else SLOW_SECONDS
        if read and value == read[-1][1]:
            if since < SLOW_SECONDS + LATE_SECONDS:
                continue  # repeated; after a longer time it is a new reading with the same value
        elif len(read) > 1 and since < LATE_SECONDS:
            read[-1] = (read[-1][0], value)
            continue
        read.append((time, value))
    # The first was read before the span, and the second also covers time before the first appeared in it.
    pieces = [(time - earlier, value) for (earlier, _), (time, value) in pairwise(read[1:])]
    covered = sum(seconds for seconds, _ in pieces)
    if covered < LEAST_COVERED_RATIO * (ended_seconds - began_seconds):
        return None
    return sum(seconds * value for seconds, value in pieces) / covered
