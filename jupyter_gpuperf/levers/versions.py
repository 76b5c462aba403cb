"""Run versions of a cell's code in a session, each from the state before the cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.timing import Variant


class Versions:
    """The versions of one session's cell. The cell as it was is one of them."""

    def __init__(self, session: ProfileSession) -> None:
        self._session, self._own_body = session, session.subject.body

    def variant(self, name: str, code: CellCode | None) -> Variant:
        """Return a variant that runs this code; ``None`` stands for the cell as it was."""
        return Variant(name, CURRENT_MODE, prepare=lambda: self.choose(code))

    def choose(self, code: CellCode | None) -> None:
        """Have the session's next runs be of this code."""
        self._session.subject.body = self._own_body if code is None else self._body(code)

    def _body(self, code: CellCode) -> Callable[[], None]:
        session, namespace = self._session, cast("dict[str, Any]", self._session.subject.namespace)
        setup = compile(code.setup_code, "<set-up>", "exec")
        cell = compile(code.cell, "<cell>", "exec")

        def run() -> None:
            if session.runs_in_row <= 1:  # the first one after the state was restored
                exec(setup, namespace)  # noqa: S102
            exec(cell, namespace)  # noqa: S102

        return run
