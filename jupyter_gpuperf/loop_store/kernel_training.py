"""Pass the reports of kernels about their loops and cells to the training store, and answer them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.kernel_link.router import InvalidMessage, KernelSession
from jupyter_gpuperf.loop_store.notebook_sessions import SendToKernel
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.schemas.cells import CellRan, Footprint
from jupyter_gpuperf.schemas.training import Steps

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 2.0
"""Maximum time to wait for a reading taken after the cell, before its footprint is computed."""
MOST_AHEAD_SECONDS: Final = 10.0
"""A report about a later time is refused: it would count as the latest for as long as the server runs. Kernel and server
have the same clock, but it may be set back between a step and its report."""
MOST_UNANSWERED: Final = 64
"""Maximum number of cells per kernel that wait for their footprint; the oldest are not answered."""
SHORTEST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 1.0
"""Bounds of the pause between two readings for footprints. Many cells make neither readings nor queries frequent."""


@dataclass(eq=False)
class KernelTraining:
    """Handles the messages of kernels about training.

    Footprints are computed by one task for all kernels. For each kernel, only the latest cells wait for theirs.

    Parameters
    ----------
    request_tick
        Requests a reading of the devices; the future is done when there is one.
    """

    store: TrainingStore
    request_tick: Callable[[], Future[None]]
    _keys: dict[KernelSession, str] = field(default_factory=dict, init=False)
    _unanswered: dict[KernelSession, deque[CellRan]] = field(default_factory=dict, init=False)
    _answering: asyncio.Task[None] | None = field(default=None, init=False)

    def steps(self, session: KernelSession, steps: Steps) -> None:
        """Store the steps that a kernel reported."""
        self._check([each.ended_seconds for each in steps.tallies])
        self.store.store_steps(self._key(session, steps.kernel_id), session.pid, steps)

    def cell_ran(self, session: KernelSession, cell: CellRan) -> None:
        """Store the time span of a cell, and answer with the cell's footprint later."""
        self._check([cell.ended_seconds])
        self.store.cell_ran(self._key(session, cell.kernel_id), cell)
        self._unanswered.setdefault(session, deque(maxlen=MOST_UNANSWERED)).append(cell)
        if self._answering is None:
            self._answering = asyncio.ensure_future(self._answer())

    def _check(self, times_seconds: Sequence[float]) -> None:
        ahead_seconds = max(times_seconds, default=0.0) - self.store.now()
        if ahead_seconds > MOST_AHEAD_SECONDS:
            message = "The report is about a time {seconds:g} s ahead of the server's clock."
            hint = "Report times as time.time() returns them."
            raise InvalidMessage("time_in_future", message, hint, seconds=ahead_seconds)

    def _key(self, session: KernelSession, kernel_id: str | None) -> str:
        key = self._keys.get(session)
        if key is None:
            key = self._keys[session] = kernel_id or str(session.pid)
            send = session.send  # bind it once: the store identifies the connection by this object
            self.store.add_connection(key, session.pid, send)
            session.on_close(lambda: self._forget(session, send))
        return key

    def _forget(self, session: KernelSession, send: SendToKernel) -> None:
        self._unanswered.pop(session, None)
        self.store.remove_connection(self._keys.pop(session), send)
        if not self._keys and self._answering is not None:
            self._answering.cancel()
            self._answering = None

    async def _answer(self) -> None:
        while self._unanswered:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(self.request_tick()), TICK_SECONDS)
            began = time.monotonic()
            cells, self._unanswered = self._unanswered, {}
            for session in sorted(
                cells, key=lambda each: len(cells[each])
            ):  # the modest ones first
                await self._answer_one(session, cells[session])
            pause_seconds = 4 * (time.monotonic() - began)
            await asyncio.sleep(
                min(max(SHORTEST_PAUSE_SECONDS, pause_seconds), LONGEST_PAUSE_SECONDS)
            )
        self._answering = None

    async def _answer_one(self, session: KernelSession, cells: deque[CellRan]) -> None:
        def footprints() -> list[Footprint]:
            return [self.store.footprint(cell) for cell in cells]

        try:
            for footprint in await asyncio.to_thread(footprints):
                session.send(footprint, topic=footprint.number)
                await asyncio.sleep(0)  # a session keeps only few unsent messages
        except Exception:  # one kernel's odd cell must not keep others from their footprints
            logger.exception("The footprint of a cell could not be computed.")
