"""What a kernel tells of itself beside asking for jobs: what it holds, how its loops step, when its cells ran."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from jupyter_gpuperf.kernel_link.holding import Holding
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.schemas.training import CellRan, Footprint, Steps
from jupyter_gpuperf.server.kernel_holdings import KernelHoldings
from jupyter_gpuperf.server.threads import in_thread

TICK_SECONDS: Final = 2.0
"""How long a cell's footprint waits for a reading taken after the cell."""

Word = Holding | Steps | CellRan


class KernelWords:
    """Takes to their places what kernels tell.

    Parameters
    ----------
    training
        ``None``: steps and cells are not listened to.
    wait_for_tick
        Blocks until the devices were read anew, at most so many seconds.
    """

    def __init__(
        self,
        holdings: KernelHoldings,
        training: TrainingStore | None = None,
        *,
        wait_for_tick: Callable[[float], bool] = lambda seconds: True,
    ) -> None:
        self.holdings, self.training, self.wait_for_tick = holdings, training, wait_for_tick

    def of(self, pid: int | None, say: Callable[[Struct], None]) -> WordsOfOne:
        """Return the place of a new connection from this process; ``say`` answers it."""
        return WordsOfOne(self, pid, say)


class WordsOfOne:
    """What one connection tells."""

    def __init__(self, words: KernelWords, pid: int | None, say: Callable[[Struct], None]) -> None:
        self._words, self._pid, self._say = words, pid, say
        self._holding = words.holdings.of(pid)
        self._key: str | None = None
        self._answers: set[asyncio.Task[None]] = set()

    def take(self, word: Word) -> None:
        """Take a word; on the event loop, and at once."""
        training = self._words.training
        if isinstance(word, Holding):
            self._holding.keep(word)
        elif training is not None:
            key = self._key_of(training, word)
            if isinstance(word, Steps):
                training.keep(key, self._pid, word)
            else:
                training.cell_ran(key, word)
                answer = asyncio.ensure_future(self._answer(training, word))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)

    def close(self) -> None:
        """It hung up."""
        self._holding.close()
        for answer in tuple(self._answers):
            answer.cancel()
        if self._key is not None and self._words.training is not None:
            self._words.training.hung_up(self._key, self._say)

    def _key_of(self, training: TrainingStore, word: Steps | CellRan) -> str:
        if self._key is None:
            self._key = word.kernel_id or str(self._pid)
            training.connected(self._key, self._pid, self._say)
        return self._key

    async def _answer(self, training: TrainingStore, cell: CellRan) -> None:
        def read() -> Footprint:
            self._words.wait_for_tick(TICK_SECONDS)
            return training.footprint(cell)

        self._say(await in_thread(read))
