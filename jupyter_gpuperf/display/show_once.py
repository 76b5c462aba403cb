"""Show a result once, although the magic both displays and returns it.

The magic displays its result immediately, so that it also works in loops and assignments. If the result
is also the cell's value, IPython would display it a second time.
"""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.display.shell import running_shell

_shown: Final[dict[int, int]] = {}
"""The latest result that a magic displayed: its ``id()`` → the cell's number."""


def mark_shown(result: object) -> None:
    """Record that this cell already shows ``result``."""
    _shown.clear()
    _shown[id(result)] = _cell_number()


def is_shown_in_this_cell(result: object) -> bool:
    """Return whether the running cell already shows ``result``."""
    return _shown.get(id(result)) == _cell_number()


def in_terminal() -> bool:
    """Return whether this is IPython in a terminal rather than in a kernel."""
    return getattr(running_shell(), "kernel", None) is None


def _cell_number() -> int:
    shell = running_shell()
    return -1 if shell is None else int(shell.execution_count)
