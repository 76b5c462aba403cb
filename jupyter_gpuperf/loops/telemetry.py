"""A thread that adds up the steps of the clocks and reports them to the server; the loop never waits for it.

Steps that can't be reported are kept only for the output of ``%gpuwatch``, in bounded memory.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.links import Links
from jupyter_gpuperf.kernel_link.reporting_thread import ReportingThread
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.growth_watch import GrowthWatch
from jupyter_gpuperf.loops.loop_watch import LoopWatch
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.loops.worker_threads import WorkerThreads
from jupyter_gpuperf.schemas.cells import CellRan, Footprint
from jupyter_gpuperf.schemas.training import ExplainNow, Steps, StepTally, merged

POLL_SECONDS: Final = 0.5
SLOW_CHECKS: Final = 6
"""The device, the rank and the workers' threads are checked only every this many calls of ``report_once``."""
KEPT_TALLIES: Final = 7200
MOST_TALLIES: Final = 32
"""Maximum number of tallies in one message, whose length the server limits."""
KEPT_CELLS: Final = 64
YIELD_SECONDS: Final = 0.0005
"""Sleep after each tally, so that the loop gets the interpreter lock."""

ServerMessage = Footprint | ExplainNow


class TelemetryThread(ReportingThread):
    """Reports steps and cells to the server.

    Parameters
    ----------
    hear
        Called with each message from the server, in this thread.
    """

    def __init__(
        self,
        watching: LoopWatch,
        link: ServerLink | Links,
        *,
        hear: Callable[[ServerMessage], None] = lambda message: None,
        kernel_id: str | None = None,
        notebook_path: str | None = None,
        is_script: bool = False,
        interval_seconds: float = POLL_SECONDS,
    ) -> None:
        super().__init__("gpuperf-steps", link, interval_seconds)
        self.totals: dict[int, StepTally] = {}
        """All steps of each watched loader so far, by its id, for the output in the notebook itself."""
        self._watching, self._hear = watching, hear
        self._kernel_id, self._notebook_path = kernel_id, notebook_path
        self._is_script = is_script
        self._unsent: deque[StepTally] = deque(maxlen=KEPT_TALLIES)
        self._tallying = threading.Lock()
        self._cells: deque[CellRan] = deque(maxlen=KEPT_CELLS)
        self._threads: dict[int, WorkerThreads] = {}
        self._growth: dict[int, GrowthWatch] = {}
        self._reports_count = 0

    def cell_ran(self, cell: CellRan) -> None:
        """Queue the report that a cell ran; the thread sends it soon."""
        self._cells.append(cell)
        self.wake()

    def report_once(self) -> None:
        """Add up the new steps, handle the server's messages, and report steps and cells."""
        if self._reports_count % SLOW_CHECKS == 0:
            self._watching.find_device()
            self._watching.find_rank()
            self._count_worker_threads()
        self._reports_count += 1
        self._watching.look_at_loops()
        self.tally()
        for message in self.link.receive():
            if isinstance(message, ServerMessage):
                self._hear(message)
        # Without a connection, even an empty report is sent: it announces the watch before the first step.
        if not self._unsent and not self.link.connected:
            self._send([])
        while self._unsent:
            count = min(MOST_TALLIES, len(self._unsent))
            self._send([self._unsent.popleft() for _ in range(count)])
        while self._cells and self.link.send(self._cells[0]):
            self._cells.popleft()

    def tally(self) -> None:
        """Add up the new steps. Any thread may call this, such as that of the notebook before it shows them."""
        offset = time.time() - time.perf_counter()
        with self._tallying:
            for clock in self._watching.clocks:
                while (tally := tally_of(clock, offset)) is not None:
                    before = self.totals.get(tally.loader)
                    self.totals[tally.loader] = merged(before, tally) if before else tally
                    self._unsent.append(tally)
                    self._watch_growth(clock, tally)
                    time.sleep(YIELD_SECONDS)
            watched = {clock.info.id for clock in self._watching.clocks}
            for forgotten in self.totals.keys() - watched:
                del self.totals[forgotten]
                self._growth.pop(forgotten, None)

    def _watch_growth(self, clock: LoopClock, tally: StepTally) -> None:
        search, reader = self._watching.growth_search, clock.memory_reader
        if search is None or reader is None:
            return
        watch = self._growth.get(tally.loader)
        if watch is None or watch.reader is not reader:
            watch = self._growth[tally.loader] = GrowthWatch(clock, reader, search)
        watch.add(tally)

    def _send(self, tallies: list[StepTally]) -> None:
        active = {tally.loader for tally in tallies}
        steps = Steps(
            kernel_id=self._kernel_id,
            notebook_path=self._notebook_path,
            loaders=[each.info for each in self._watching.clocks if each.info.id in active],
            tallies=tallies,
            is_script=self._is_script,
        )
        self.link.send(steps)

    def _count_worker_threads(self) -> None:
        for clock in self._watching.clocks:
            if clock.worker_pids:
                counter = self._threads.setdefault(clock.info.id, WorkerThreads())
                if (threads := counter.count(clock.worker_pids[0])) is not None:
                    clock.info = msgspec.structs.replace(clock.info, worker_threads=threads)
