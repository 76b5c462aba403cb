"""Pass the reports of kernels about their loops and cells to the training store, and answer them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.schemas.training import CellRan, Footprint, Steps

TICK_SECONDS: Final = 2.0
"""Maximum time to wait for a reading taken after the cell, before its footprint is computed."""


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

    def steps(self, session: KernelSession, steps: Steps) -> None:
        """Store the steps that a kernel reported."""
        self.store.store_steps(self._key(session, steps.kernel_id), session.pid, steps)

    def cell_ran(self, session: KernelSession, cell: CellRan) -> None:
        """Store the time span of a cell, and answer with the cell's footprint."""
        self.store.cell_ran(self._key(session, cell.kernel_id), cell)
        session.answer_later(self._answer(session, cell))

    def _key(self, session: KernelSession, kernel_id: str | None) -> str:
        key = self._keys.get(session)
        if key is None:
            key = self._keys[session] = kernel_id or str(session.pid)
            send = session.send  # bind it once: the store identifies the connection by this object
            self.store.add_connection(key, session.pid, send)
            session.on_close(lambda: self.store.remove_connection(self._keys.pop(session), send))
        return key

    async def _answer(self, session: KernelSession, cell: CellRan) -> None:
        def read() -> Footprint:
            self.wait_for_tick(TICK_SECONDS)
            return self.store.footprint(cell)

        session.send(await asyncio.to_thread(read), topic=cell.number)
