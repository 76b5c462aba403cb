"""Have the calls of single functions reported, which Python can from 3.12 on (``sys.monitoring``); all other code runs as before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.backward_patch import leave_out_of_dynamo

FIRST_PYTHON: Final = (3, 12)
TOOL_NAME: Final = "jupyter_gpuperf"
TOOLS: Final = (4, 3)
"""Tool numbers that Python gives to nobody in particular; debuggers, coverage and profilers have others."""


class _Followed(NamedTuple):
    code: CodeType
    begins: Callable[[], None]
    ends: Callable[[], None]


class CodeEvents:
    """The functions of this process whose calls are reported. It is a tool of Python's only while there are any."""

    def __init__(self) -> None:
        # By their ids: the hash of a code object takes microseconds.
        self._followed: dict[int, _Followed] = {}
        self._monitoring: Any = None
        self._tool: int | None = None

    @property
    def are_available(self) -> bool:
        """Whether this version of Python reports calls of single functions."""
        return hasattr(sys, "monitoring")

    def follow(self, code: CodeType, begins: Callable[[], None], ends: Callable[[], None]) -> bool:
        """Have ``begins`` and ``ends`` called in the calls of this function; a generator's are all its resumptions.

        They must not raise. What ends by an exception is not reported. ``False`` if Python can't, or others use all tools.
        """
        if self._tool is None and not self._take_tool():
            return False
        for each in (begins, ends):
            leave_out_of_dynamo(sys.modules.get("torch"), each)
        self._followed[id(code)] = _Followed(code, begins, ends)
        events = self._monitoring.events
        ours = events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
        self._monitoring.set_local_events(self._tool, code, ours)
        return True

    def drop(self, code: CodeType) -> None:
        """Have the calls of this function reported no longer."""
        if self._followed.pop(id(code), None) is not None:
            self._monitoring.set_local_events(self._tool, code, self._monitoring.events.NO_EVENTS)
        if self._tool is not None and not self._followed:
            self._register(None, None)
            self._monitoring.free_tool_id(self._tool)
            self._tool = None

    def _take_tool(self) -> bool:
        monitoring = getattr(sys, "monitoring", None)
        free = [each for each in TOOLS if monitoring and monitoring.get_tool(each) is None]
        if not free:
            return False
        self._monitoring, self._tool = monitoring, free[0]
        self._monitoring.use_tool_id(self._tool, TOOL_NAME)
        self._register(*self._callbacks())
        return True

    def _register(
        self, begins: Callable[..., None] | None, ends: Callable[..., None] | None
    ) -> None:
        events, register = self._monitoring.events, self._monitoring.register_callback
        for event, callback in (
            (events.PY_START, begins),
            (events.PY_RESUME, begins),  # of a generator
            (events.PY_RETURN, ends),
            (events.PY_YIELD, ends),
        ):
            register(self._tool, event, callback)

    def _callbacks(self) -> tuple[Callable[..., None], Callable[..., None]]:
        followed = self._followed

        def begins(code: CodeType, *_: Any) -> None:
            found = followed.get(id(code))
            if found is not None:
                found.begins()

        def ends(code: CodeType, *_: Any) -> None:
            found = followed.get(id(code))
            if found is not None:
                found.ends()

        for each in (begins, ends):
            leave_out_of_dynamo(sys.modules.get("torch"), each)
        return begins, ends
