"""How long the blocks of two loops may be, so that enough rounds of them fit into the time that is left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FEWEST_ROUNDS: Final = 3
"""Student's interval of two says nothing; of three it is wide, but honest."""
GOOD_ROUNDS: Final = 5
"""Of so many the median has an interval of its own: what blocks are made short for."""
FEWEST_STEPS: Final = 2
"""Of a block."""
PLANNED_RATIO: Final = 0.95
"""Of the time that is left: steps are never quite as fast as they looked."""


def whole_rounds(steps: int, workers: int) -> int:
    """Return so many steps, or as many more as make whole rounds of the workers."""
    unit = max(1, workers)
    return -(-steps // unit) * unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a loop goes.

    Attributes
    ----------
    seconds
        A step.
    workers
        Those that were started together are done together, so a block should be whole rounds of them.
    lead_steps
        Taken before each block, untimed.
    comes_in_bursts
        A part of the workers' round says nothing then: it is all wait, or none.
    """

    seconds: float
    workers: int = 0
    lead_steps: int = 0
    comes_in_bursts: bool = False

    def block_seconds(self, steps: int) -> float:
        """Return how long a block of so many steps takes."""
        return (self.lead_steps + steps) * self.seconds

    def fewest_whole(self) -> int:
        """Return the fewest steps that are a block of whole rounds of the workers."""
        return whole_rounds(FEWEST_STEPS, self.workers)

    def fewest(self) -> int:
        """Return the fewest steps that say how fast the loop is."""
        return self.fewest_whole() if self.comes_in_bursts else FEWEST_STEPS


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of each loop's blocks.

    Attributes
    ----------
    rounds
        How many of them fit; the fewest, where even those don't.
    round_seconds
        One of each loop's blocks.
    fits
        Whether the fewest rounds fit.
    """

    steps: dict[str, int]
    rounds: int
    round_seconds: float
    fits: bool


def plan(paces: Mapping[str, Pace], seconds: float, most_steps: int) -> Plan:
    """Choose the longest blocks of which enough rounds fit into ``seconds``.

    Fewer rounds are taken before a round of the workers is cut; where they give their batches all at once, it is not.

    Parameters
    ----------
    most_steps
        Of a block, where one round of the workers is not more.
    """
    seconds *= PLANNED_RATIO
    whole = {name: pace.fewest_whole() for name, pace in paces.items()}
    fewest = {name: pace.fewest() for name, pace in paces.items()}
    for least in (whole, fewest):
        for rounds in range(GOOD_ROUNDS, FEWEST_ROUNDS - 1, -1):
            if _round_seconds(paces, least) <= seconds / rounds:
                steps = _shared(paces, least, seconds / rounds, most_steps)
                return Plan(steps, rounds, _round_seconds(paces, steps), fits=True)
    return Plan(fewest, FEWEST_ROUNDS, _round_seconds(paces, fewest), fits=False)


def _shared(
    paces: Mapping[str, Pace], least: Mapping[str, int], seconds: float, most_steps: int
) -> dict[str, int]:
    """Share a round's time: to each loop alike, and what one has no use for to the other."""
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
