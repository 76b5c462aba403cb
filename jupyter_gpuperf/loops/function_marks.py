"""Mark the calls of the function that prepares a loop's batches, such as ``get_batch()``, in steps that are followed.

The function is found by looks at the loop's stack.
"""

from __future__ import annotations

from collections.abc import Collection
from threading import get_ident
from types import CodeType

import msgspec

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.code_events import CodeEvents
from jupyter_gpuperf.loops.followed_step import mark_phase
from jupyter_gpuperf.loops.phase_clock import PREPARE, PREPARE_END


class FunctionMarks:
    """The functions of this process whose calls are marked."""

    def __init__(self, given: BatchCounter, events: CodeEvents) -> None:
        self.codes: frozenset[CodeType] = frozenset()
        """The code of these functions."""
        self._given, self._events = given, events

    def follow(self, clocks: Collection[LoopClock]) -> None:
        """Mark the calls of each loop's main function, and give each clock the lines in which its loop is."""
        found = (clock.phases.lines.main_code() for clock in clocks)
        self.choose({code for code in found if code is not None})
        for clock in clocks:
            lines = clock.phases.lines.shares(self.codes) or None
            if lines != clock.info.host_lines:
                clock.info = msgspec.structs.replace(clock.info, host_lines=lines)

    def choose(self, codes: Collection[CodeType]) -> None:
        """Mark the calls of these functions from now on, and of no others."""
        wanted = frozenset(codes)
        for code in self.codes - wanted:
            self._events.drop(code)
        followed = {
            code
            for code in wanted - self.codes
            if self._events.follow(code, self._begins, self._ends)
        }
        self.codes = (self.codes & wanted) | followed

    def _begins(self) -> None:
        given = self._given
        marks = given.marks.get(get_ident()) if given.marks else None
        if marks is not None and marks.kinds[-1] != PREPARE:
            mark_phase(given, PREPARE)

    def _ends(self) -> None:
        given = self._given
        marks = given.marks.get(get_ident()) if given.marks else None
        if marks is not None and marks.kinds[-1] == PREPARE:
            mark_phase(given, PREPARE_END)
