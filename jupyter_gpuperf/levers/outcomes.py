"""What came of all levers of a search, in the order in which they were tried."""

from __future__ import annotations

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever
from jupyter_gpuperf.levers.outcome import LeverOutcome, OnOutcome
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message


class Outcomes:
    """The outcomes of one search.

    Attributes
    ----------
    all
        One for each lever so far.
    taken
        The levers that are in the best code.
    code
        The best code so far; at first, the cell's own.
    """

    def __init__(self, code: CellCode, on_outcome: OnOutcome) -> None:
        self.code = code
        self.all: list[LeverOutcome] = []
        self.taken: list[Lever] = []
        self._speedup = 1.0
        self._on_outcome = on_outcome

    def is_hopeless(self, name: str) -> bool:
        """Return whether a lever was tried, and could not be timed or was slower."""
        found = [each for each in self.all if each.name == name]
        return any(each.speedup is None or each.speedup["high"] < 1.0 for each in found)

    def leave(self, name: str, why: Message, speedup: Interval | None = None) -> None:
        """Add a lever that is not in the code."""
        self._add(LeverOutcome(name, False, why, speedup))

    def take(
        self,
        name: str,
        why: Message,
        speedup: Interval,
        code: CellCode,
        lever: Lever | None = None,
    ) -> None:
        """Add one that is; what it takes the place of is left."""
        self.code = code
        if lever is not None:
            for each in self.all:
                if each.taken and each.name in lever.excludes:
                    each.taken, each.why = False, Message("{lever} is faster.", lever=name)
            self.taken = [x for x in self.taken if x.name not in lever.excludes] + [lever]
        self._speedup *= speedup["value"]
        self._add(LeverOutcome(name, True, why, speedup, self._speedup))

    def leave_all(self) -> None:
        """Leave every lever, because the final code gained nothing."""
        for each in self.all:
            if each.taken:
                each.taken = False
                each.why = Message("No gain over the cell as it was could be told at the end.")

    def _add(self, outcome: LeverOutcome) -> None:
        self.all.append(outcome)
        self._on_outcome(self.all, self.code)
