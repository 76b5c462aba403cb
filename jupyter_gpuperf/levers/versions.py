"""Run versions of a cell's code in a session, each from the state before the cell."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.timing import Variant
from jupyter_gpuperf.tuning.tune import IGNORED_WARNINGS

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
        if code is None:

            def run_own() -> None:
                namespace.update(self.stand_ins)
                self._own_body()

            return run_own
        setup = compile(code.setup_code, "<set-up>", "exec", dont_inherit=True)
        cell = compile(code.cell, "<cell>", "exec", dont_inherit=True)

        def run() -> None:
            # Here, because restoring the state restores the notebook's own filters.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", IGNORED_WARNINGS)
                if session.runs_in_row <= 1:  # the first one after the state was restored
                    exec(setup, namespace)  # noqa: S102
                namespace.update(self.stand_ins)
                exec(cell, namespace)  # noqa: S102

        return run
