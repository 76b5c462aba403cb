"""What a slow reading says of a stretch of time: it is read every few seconds, covers those before, and is repeated."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from jupyter_gpuperf.sources.reading import SLOW_SECONDS

LATE_SECONDS: Final = 1.0
"""The most by which a reading comes late; what is replaced sooner was no reading, but a mean of two."""

LEAST_COVERED_RATIO: Final = 0.4
"""Of a stretch: ten seconds hold one whole reading at least."""


def mean_within(
    shown: Iterable[tuple[float, float]], began_seconds: float, ended_seconds: float
) -> float | None:
    """Return the mean of the readings that lie within a stretch with all the time that they cover.

    What is shown at a loop's start was read before, and the next reading covers some of that time, too: a device that is
    busy from the first step on would be said to rest for ten seconds.

    Parameters
    ----------
    shown
        Times and values of the history, in their order.

    Returns
    -------
    float | None
        ``None`` where they cover too little of the stretch.
    """
    read: list[tuple[float, float]] = []
    for time, value in shown:
        if not began_seconds <= time <= ended_seconds:
            continue
        since = time - read[-1][0] if read else SLOW_SECONDS
        if read and value == read[-1][1]:
            if since < SLOW_SECONDS + LATE_SECONDS:
                continue  # repeated; later, it was read again and is the same
        elif len(read) > 1 and since < LATE_SECONDS:
            read[-1] = (read[-1][0], value)
            continue
        read.append((time, value))
    # The first was there before, and the second covers what came before the first was shown here.
    pieces = [(time - earlier, value) for (earlier, _), (time, value) in pairwise(read[1:])]
    covered = sum(seconds for seconds, _ in pieces)
    if covered < LEAST_COVERED_RATIO * (ended_seconds - began_seconds):
        return None
    return sum(seconds * value for seconds, value in pieces) / covered
