"""Plan how long the blocks of two loops may be, so that enough rounds fit into the remaining time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FEWEST_ROUNDS: Final = 3
"""Student's interval of two rounds is useless; of three it is wide, but honest."""
GOOD_ROUNDS: Final = 5
"""From this many rounds the median has its own interval. Blocks are shortened to reach it."""
FEWEST_STEPS: Final = 2
"""Fewest steps of a block."""
PLANNED_RATIO: Final = 0.95
"""Share of the remaining time to plan with: steps are never quite as fast as they looked."""


def whole_rounds(steps: int, workers: int) -> int:
    """Return ``steps``, rounded up to whole rounds of the workers."""
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
        Number of workers. Those started together finish together, so a block should be whole rounds of them.
    lead_steps
        Untimed steps before each block.
    comes_in_bursts
        Whether batches come in bursts. Then a part of a round is all wait or none, and not representative.
    """

    seconds: float
    workers: int = 0
    lead_steps: int = 0
    comes_in_bursts: bool = False

    def block_seconds(self, steps: int) -> float:
        """Return the seconds of a block with this many steps."""
        return (self.lead_steps + steps) * self.seconds

    def fewest_whole_round_steps(self) -> int:
        """Return the fewest steps that make a block of whole rounds of the workers."""
        return whole_rounds(FEWEST_STEPS, self.workers)

    def fewest(self) -> int:
        """Return the fewest steps that show how fast the loop is."""
        return self.fewest_whole_round_steps() if self.comes_in_bursts else FEWEST_STEPS


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of steps in each loop's blocks.

    Attributes
    ----------
    rounds
        How many rounds fit; the minimum when not even that fits.
    round_seconds
        Seconds of one block of each loop.
    fits
        Whether the fewest rounds fit.
    """

    steps: dict[str, int]
    rounds: int
    round_seconds: float
    fits: bool


def plan(paces: Mapping[str, Pace], seconds: float, most_steps: int) -> Plan:
    """Choose the longest blocks of which enough rounds fit into ``seconds``.

    The number of rounds is reduced before a round of the workers is cut. With batches in bursts, it is never cut.

    Parameters
    ----------
    most_steps
        Most steps of a block, unless one round of the workers is longer.
    """
    seconds *= PLANNED_RATIO
    whole = {name: pace.fewest_whole_round_steps() for name, pace in paces.items()}
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
    """Divide a round's time equally between the loops; what one can't use goes to the other."""
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
