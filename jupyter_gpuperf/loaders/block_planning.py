"""Plan the block lengths of two loops so that enough rounds fit into the remaining time. Pure functions only.

A round of a test is one block of each loop. A round of the workers is one batch of each worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FEWEST_ROUNDS: Final = 3
"""Minimum number of rounds. Student's t interval is useless for two rounds; for three, it is wide but correct."""
GOOD_ROUNDS: Final = 5
"""From this many rounds on, the median has its own interval. Blocks are shortened to reach this number."""
FEWEST_STEPS: Final = 2
"""Minimum number of steps per block."""
PLANNED_SHARE: Final = 0.95
"""Share of the remaining time that is planned for: steps are usually a little slower than estimated."""


def whole_rounds(steps: int, workers: int) -> int:
    """Return ``steps`` rounded up to a multiple of the number of workers."""
    unit = max(1, workers)
    return -(-steps // unit) * unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a loop runs.

    Attributes
    ----------
    seconds
        Seconds per step.
    workers
        Number of workers. Workers that start together finish together, so a block should contain whole rounds of them.
    lead_steps
        Number of untimed steps before each block.
    comes_in_bursts
        Whether batches arrive in bursts. If so, the steps of an incomplete round are not representative: they either
        contain the whole wait or none of it.
    """

    seconds: float
    workers: int = 0
    lead_steps: int = 0
    comes_in_bursts: bool = False

    def block_seconds(self, steps: int) -> float:
        """Return the duration of a block with this many steps, including its untimed steps."""
        return (self.lead_steps + steps) * self.seconds

    def fewest_whole_round_steps(self) -> int:
        """Return the minimum number of steps of a block that contains only whole rounds of the workers."""
        return whole_rounds(FEWEST_STEPS, self.workers)

    def fewest_representative_steps(self) -> int:
        """Return the minimum number of steps that is representative of the loop's speed."""
        return self.fewest_whole_round_steps() if self.comes_in_bursts else FEWEST_STEPS


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of steps in each loop's blocks.

    Attributes
    ----------
    rounds
        Number of rounds that fit; ``FEWEST_ROUNDS`` if not even these fit.
    round_seconds
        Duration of one round, that is, of one block of each loop.
    fits
        Whether at least ``FEWEST_ROUNDS`` fit into the time.
    """

    steps: dict[str, int]
    rounds: int
    round_seconds: float
    fits: bool


def plan(
    paces: Mapping[str, Pace], seconds: float, most_steps: int, good_rounds: int = GOOD_ROUNDS
) -> Plan:
    """Choose the longest blocks of which enough rounds fit into ``seconds``.

    If time is short, first the number of rounds is reduced, then blocks are cut to less than a round of the workers.
    Blocks are never cut that short if batches arrive in bursts.

    Parameters
    ----------
    most_steps
        Maximum number of steps per block, unless one round of the workers is longer.
    good_rounds
        Number of rounds to aim for; fewer if they don't fit.
    """
    seconds *= PLANNED_SHARE
    whole = {name: pace.fewest_whole_round_steps() for name, pace in paces.items()}
    fewest = {name: pace.fewest_representative_steps() for name, pace in paces.items()}
    for least in (whole, fewest):
        for rounds in range(good_rounds, FEWEST_ROUNDS - 1, -1):
            if _round_seconds(paces, least) <= seconds / rounds:
                steps = _shared(paces, least, seconds / rounds, most_steps)
                return Plan(steps, rounds, _round_seconds(paces, steps), fits=True)
    return Plan(fewest, FEWEST_ROUNDS, _round_seconds(paces, fewest), fits=False)


def _shared(
    paces: Mapping[str, Pace], least: Mapping[str, int], seconds: float, most_steps: int
) -> dict[str, int]:
    """Divide the time of a round equally between the loops; one loop gets the time that the other can't use."""
    most = {name: max(most_steps, least[name]) for name in paces}
    waiting = sorted(paces, key=lambda name: paces[name].block_seconds(most[name]))
    steps = dict.fromkeys(paces, 0)
    while waiting:
        name, *others = waiting
        pace = paces[name]
        needed = sum(paces[each].block_seconds(least[each]) for each in others)
        share = min(seconds / len(waiting), seconds - needed)
        fitting = int(share / pace.seconds) - pace.lead_steps
        chosen = max(least[name], min(most[name], fitting))
        if pace.workers and chosen >= pace.workers:
            chosen -= chosen % pace.workers
        steps[name] = max(least[name], chosen)
        seconds -= pace.block_seconds(steps[name])
        waiting = others
    return steps


def _round_seconds(paces: Mapping[str, Pace], steps: Mapping[str, int]) -> float:
    return sum(pace.block_seconds(steps[name]) for name, pace in paces.items())
