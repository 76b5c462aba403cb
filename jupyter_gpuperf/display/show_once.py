"""Shows a result once, although the magic both displays and returns it.

The magic displays at once, so that it works within loops and assignments too. Where its value is
also the cell's value, IPython would display it a second time in the same cell.
"""

from __future__ import annotations

from typing import Final

from IPython import get_ipython
from IPython.display import display

_shown: Final[dict[int, int]] = {}
"""The latest result that a magic displayed: its identity → the cell's number."""


def show_once(result: object) -> None:
    """Display ``result`` now, and not again in this cell."""
    display(result)
    remember(result)


def remember(result: object) -> None:
    """Note that this cell shows ``result`` already."""
    _shown.clear()
    _shown[id(result)] = _cell_number()


def in_this_cell(result: object) -> bool:
    """Tell whether the running cell shows ``result`` already."""
    return _shown.get(id(result)) == _cell_number()


def in_terminal() -> bool:
    """Tell whether this is IPython in a terminal, not a kernel."""
    return getattr(get_ipython(), "kernel", None) is None


def _cell_number() -> int:
    shell = get_ipython()
    return -1 if shell is None else int(shell.execution_count)
