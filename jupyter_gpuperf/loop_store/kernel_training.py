"""Pass the reports of kernels about their loops and cells to the training store, and answer them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.kernel_link.router import InvalidMessage, KernelSession
from jupyter_gpuperf.loop_store.notebook_sessions import SendToKernel
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.schemas.training import CellRan, Steps

TICK_SECONDS: Final = 2.0
"""Maximum time to wait for a reading taken after the cell, before its footprint is computed."""
MOST_AHEAD_SECONDS: Final = 10.0
"""A report about a later time is refused: it would count as the latest for as long as the server runs. Kernel and server
have the same clock, but it may be set back between a step and its report."""
MOST_UNANSWERED: Final = 64
"""Maximum number of cells per kernel that wait for their footprint; the oldest are not answered."""


@dataclass(eq=False)
class KernelTraining:
    """Handles the messages of kernels about training.

    Parameters
    ----------
    wait_for_tick
        Waits until the devices have been read again, at most for the given number of seconds; returns whether they
        were.
    """

    store: TrainingStore
    wait_for_tick: Callable[[float], bool] = lambda seconds: True
    _keys: dict[KernelSession, str] = field(default_factory=dict, init=False)
    _unanswered: dict[KernelSession, deque[CellRan]] = field(default_factory=dict, init=False)

    def steps(self, session: KernelSession, steps: Steps) -> None:
        """Store the steps that a kernel reported."""
        self._check([each.ended_seconds for each in steps.tallies])
        self.store.store_steps(self._key(session, steps.kernel_id), session.pid, steps)

    def cell_ran(self, session: KernelSession, cell: CellRan) -> None:
        """Store the time span of a cell, and answer with the cell's footprint."""
        self._check([cell.ended_seconds])
        self.store.cell_ran(self._key(session, cell.kernel_id), cell)
        if (waiting := self._unanswered.get(session)) is not None:
            waiting.append(cell)  # by the task that already runs for this kernel
            return
        self._unanswered[session] = deque([cell], MOST_UNANSWERED)
        session.answer_later(self._answer(session))

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

    async def _answer(self, session: KernelSession) -> None:
        waiting = self._unanswered[session]
        try:
            while waiting:
                await asyncio.to_thread(self.wait_for_tick, TICK_SECONDS)
                for cell in [waiting.popleft() for _ in range(len(waiting))]:
                    footprint = await asyncio.to_thread(self.store.footprint, cell)
                    session.send(footprint, topic=cell.number)
        finally:
            self._unanswered.pop(session, None)
