"""Mark the calls of the function that prepares a loop's batches, such as ``get_batch()``, in steps that are followed.

Python 3.12 and later report the begin and the end of single functions (``sys.monitoring``); all other code runs as fast as
before. The function is found by looks at the loop's stack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from threading import get_ident
from types import CodeType
from typing import Any, Final

import msgspec

from jupyter_gpuperf.loops.backward_patch import leave_out_of_dynamo
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.followed_step import mark_phase
from jupyter_gpuperf.loops.phase_clock import PREPARE, PREPARE_END

TOOL_NAME: Final = "jupyter_gpuperf"
TOOLS: Final = (4, 3)
"""Tool numbers that Python gives to nobody in particular; debuggers, coverage and profilers have others."""


class FunctionMarks:
    """The functions of this process whose calls are marked."""

    def __init__(self, given: BatchCounter) -> None:
        self.codes: frozenset[CodeType] = frozenset()
        """The code of these functions."""
        self._given = given
        self._monitoring: Any = None
        self._tool: int | None = None

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
        if wanted == self.codes:
            return
        if self._tool is None and not self._take_tool():
            return
        monitoring = self._monitoring
        events = monitoring.events
        ours = events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
        for code in self.codes - wanted:
            monitoring.set_local_events(self._tool, code, events.NO_EVENTS)
        for code in wanted - self.codes:
            monitoring.set_local_events(self._tool, code, ours)
        self.codes = wanted

    def stop(self) -> None:
        """Mark no more calls."""
        self.choose(())
        if self._tool is not None:
            self._call(None, None)
            self._monitoring.free_tool_id(self._tool)
            self._tool = None

    def _take_tool(self) -> bool:
        monitoring = getattr(sys, "monitoring", None)
        free = [each for each in TOOLS if monitoring and monitoring.get_tool(each) is None]
        if not free:
            return False
        self._monitoring, self._tool = monitoring, free[0]
        self._monitoring.use_tool_id(self._tool, TOOL_NAME)
        self._call(*self._callbacks())
        return True

    def _call(self, begins: Callable[..., None] | None, ends: Callable[..., None] | None) -> None:
        events, register = self._monitoring.events, self._monitoring.register_callback
        for event, callback in (
            (events.PY_START, begins),
            (events.PY_RESUME, begins),  # of a generator
            (events.PY_RETURN, ends),
            (events.PY_YIELD, ends),
        ):
            register(self._tool, event, callback)

    def _callbacks(self) -> tuple[Callable[..., None], Callable[..., None]]:
        given, followed = self._given, self._given.marks

        def begins(*_: Any) -> None:
            marks = followed.get(get_ident()) if followed else None
            if marks is not None and marks.kinds[-1] != PREPARE:
                mark_phase(given, PREPARE)

        def ends(*_: Any) -> None:
            marks = followed.get(get_ident()) if followed else None
            if marks is not None and marks.kinds[-1] == PREPARE:
                mark_phase(given, PREPARE_END)

        torch = sys.modules.get("torch")
        for each in (begins, ends):
            leave_out_of_dynamo(torch, each)
        return begins, ends
