"""Split the readings of a device's activity into busy runs and idle gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


class Phase(NamedTuple):
    """A busy run or an idle gap.

    Parameters
    ----------
    is_cut
        Whether the readings begin or end within it, so that it was longer than ``seconds``.
    power_watts
        The lowest power in an idle gap, the highest in a busy run; ``None`` if the power is unknown.
    """

    is_idle: bool
    seconds: float
    is_cut: bool
    power_watts: float | None


def phases_of(
    times: Sequence[float], at_rest: Sequence[bool], power: Mapping[float, float]
) -> tuple[Phase, ...]:
    """Return the phases in order; none if the device was busy, or idle, all the time.

    Parameters
    ----------
    at_rest
        For each time, whether the device was idle.
    power
        Time → power in watts, for the times at which the power is known.
    """
    changes = [i for i in range(1, len(at_rest)) if at_rest[i] != at_rest[i - 1]]
    bounds = [0, *changes, len(at_rest)] if changes else []
    phases = []
    for start, end in pairwise(bounds):
        is_idle = at_rest[start]
        powers = [power[time] for time in times[start:end] if time in power]
        # A phase lasts until the first reading of the next one.
        seconds = times[min(end, len(times) - 1)] - times[start]
        extreme = (min if is_idle else max)(powers) if powers else None
        phases.append(Phase(is_idle, seconds, start == 0 or end == len(times), extreme))
    return tuple(phases)
