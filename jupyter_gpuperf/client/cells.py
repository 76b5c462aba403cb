"""Resource usage of each cell: time, GPU, memory and energy."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from jupyter_gpuperf.client.watch_session import WatchSession
from jupyter_gpuperf.display.watch_report import WatchedCell
from jupyter_gpuperf.loops.telemetry import ServerMessage
from jupyter_gpuperf.measure.device import started_cuda
from jupyter_gpuperf.schemas.cells import Footprint

SHOWN_FROM_SECONDS: Final = 1.0
"""Shorter cells appear in the report, but have no line below them."""

MOST_CELLS: Final = 1000


class CellLog:
    """Measures the cells that a shell runs.

    Parameters
    ----------
    quiet
        Show no line below the cells; the report still contains them.
    """

    def __init__(
        self, shell: InteractiveShell, session: WatchSession, *, quiet: bool = False
    ) -> None:
        self.cells: list[WatchedCell] = []
        self.quiet = quiet
        self._shell, self._session = shell, session
        self._hooks = (("pre_run_cell", self._before), ("post_run_cell", self._after))
        self._depth = 0
        self._began: tuple[float, float] | None = None
        self._held_before = 0.0

    def start(self) -> None:
        """Start measuring with the next cell."""
        for event, callback in self._hooks:
            self._shell.events.register(event, callback)
        self._session.listeners.append(self._receive)

    def stop(self) -> None:
        """Stop measuring; recorded cells are kept."""
        for event, callback in self._hooks:
            with contextlib.suppress(ValueError):
                self._shell.events.unregister(event, callback)
        with contextlib.suppress(ValueError):
            self._session.listeners.remove(self._receive)

    def _before(self, *_: object) -> None:
        self._depth += 1
        if self._depth == 1:  # magics may run cells within the cell
            self._held_before = _of_all_devices("max_memory_reserved") or 0.0
            self._began = (time.time(), time.perf_counter())

    def _after(self, result: Any = None) -> None:  # IPython calls this
        self._depth = max(0, self._depth - 1)
        if self._depth:
            return
        self._session.watching.pause()
        if self._began is None:  # this cell began the watch
            return
        (began, began_clock), self._began = self._began, None
        wall_seconds = time.perf_counter() - began_clock
        # In some versions, the shell's own counter has already advanced to the next cell.
        number = getattr(result, "execution_count", None) or int(self._shell.execution_count)
        peak_bytes = self._peak_bytes()
        cell = WatchedCell(number, began, wall_seconds, peak_bytes)
        self.cells.append(cell)
        del self.cells[:-MOST_CELLS]
        if not self.quiet and wall_seconds >= SHOWN_FROM_SECONDS:
            cell.display_handle = display(cell.line(), display_id=True)
        self._session.cell_ran(number, began, began + wall_seconds)

    def _peak_bytes(self) -> float | None:
        peak, held = map(_of_all_devices, ("max_memory_reserved", "memory_reserved"))
        if peak is None or held is None:
            return None
        # The allocator's peak covers the whole session; it belongs to this cell only if this cell
        # raised it.
        return peak if peak > self._held_before else held

    def _receive(self, message: ServerMessage) -> None:
        if not isinstance(message, Footprint):
            return
        cell = next((each for each in self.cells[::-1] if each.number == message.number), None)
        if cell is None:
            return
        cell.busy_ratio = None if message.busy_percent is None else message.busy_percent / 100
        cell.energy_joules = message.energy_joules
        if cell.display_handle is not None and (cell.busy_ratio is not None or cell.energy_joules):
            cell.display_handle.update(cell.line())


def _of_all_devices(counter: str) -> float | None:
    cuda = started_cuda(sys.modules.get("torch"))
    if cuda is None:
        return None
    return float(sum(getattr(cuda, counter)(index) for index in range(cuda.device_count())))
