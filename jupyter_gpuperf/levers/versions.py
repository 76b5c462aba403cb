"""Run versions of a cell's code in a session, each from the state before the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.timing import Variant

NO_STAND_INS: Final[Mapping[str, Any]] = MappingProxyType({})


class Versions:
    """The versions of one session's cell. The cell as it was is one of them.

    Attributes
    ----------
    stand_ins
        Name → object that takes the place of a loader of this name, in all runs until they are replaced.
    has_compiled
        Whether a version compiled anything.
    """

    has_compiled = False

    def __init__(self, session: ProfileSession) -> None:
        self._session, self._own_body = session, session.subject.body
        self.stand_ins = NO_STAND_INS

    def variant(self, name: str, code: CellCode | None) -> Variant:
        """Return a variant that runs this code; ``None`` stands for the cell as it was."""
        return Variant(name, CURRENT_MODE, prepare=lambda: self.choose(code))

    def choose(self, code: CellCode | None) -> None:
        """Have the session's next runs be of this code."""
        self._session.subject.body = self._body(code)

    def restore(self) -> None:
        """Have the session run its own code again."""
        self._session.subject.body = self._own_body

    def _body(self, code: CellCode | None) -> Callable[[], object]:
        session, namespace = self._session, cast("dict[str, Any]", self._session.subject.namespace)
        run_cell = self._own_body
        setup = None
        if code is not None:
            setup = compile(code.setup_code, "<set-up>", "exec")
            cell = compile(code.cell, "<cell>", "exec")
            run_cell = lambda: exec(cell, namespace)  # noqa: S102

        def run() -> None:
            if setup is not None and session.runs_in_row <= 1:  # the first since the restoring
                exec(setup, namespace)  # noqa: S102
            namespace.update(self.stand_ins)
            run_cell()

        return run
