"""One way of running a loop, in blocks of steps that are timed whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.training.stillness import Stillness

FEWEST_STEPS: Final = 2
LOOK_STEPS: Final = 3
_NOTHING: Final = object()


class Endless:
    """A loader's batches, epoch after epoch.

    Raises
    ------
    BadRequest
        ``empty_loader``, by ``next()``.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._epoch: Any = None

    def __iter__(self) -> Iterator[Any]:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return the next batch."""
        batch = _NOTHING if self._epoch is None else next(self._epoch, _NOTHING)
        if batch is _NOTHING:
            self._epoch = iter(self._loader)
            batch = next(self._epoch, _NOTHING)
        if batch is _NOTHING:
            raise BadRequest("empty_loader", "The loader gives no batch.", "Give one that does.")
        return batch

    @property
    def worker_pids(self) -> list[int]:
        """The processes that load for it now."""
        return [each.pid for each in getattr(self._epoch, "_workers", ())]

    def close(self) -> None:
        """End them."""
        self._epoch = None


class Loop:
    """A loop whose steps are timed in blocks. Between its blocks its workers stand still.

    Parameters
    ----------
    wait
        Waits for the device.
    """

    def __init__(
        self,
        batches: Iterator[Any],
        step: Callable[[Any], object],
        *,
        wait: Callable[[], None],
        stillness: Stillness,
        workers: int = 0,
        prefetched: int = 0,
    ) -> None:
        self._batches, self._step, self._wait = batches, step, wait
        self._stillness = stillness
        self._workers, self._prefetched = workers, prefetched
        self._step_seconds = 0.0
        self.steps = FEWEST_STEPS
        """Of a block."""

    def warm_up(self, limit_seconds: float) -> None:
        """Start what is started once, and use up what was loaded before the first step: it comes too fast."""
        self._go()
        with self._stillness.during(limit_seconds):
            began = time.perf_counter()
            self._step(next(self._batches))
            self._step_seconds = (
                time.perf_counter() - began
            )  # a slow step needs patience from the start
            self._use_up(limit_seconds)
        self._stand()

    def fit(self, block_seconds: float, most: int) -> None:
        """Choose the steps of a block, so that it takes about so long.

        Workers that were started together are done together: a block is whole rounds of them, where that is not too long.
        """
        seconds = self._timed(LOOK_STEPS)
        self.steps = min(most, max(FEWEST_STEPS, int(block_seconds / seconds)))
        if self._workers:
            rounded = -(-self.steps // self._workers) * self._workers
            if rounded * seconds <= 2 * block_seconds:
                self.steps = rounded

    def block(self) -> float:
        """Run a block; return the seconds of a step."""
        return self._timed(self.steps)

    def close(self) -> None:
        """End the workers."""
        self._go()  # or they could not
        if isinstance(self._batches, Endless):
            self._batches.close()

    def _timed(self, steps: int) -> float:
        self._go()
        with self._stillness.during(5 * steps * self._step_seconds):
            if not self._stillness.is_kept:
                self._use_up(float("inf"))
            self._wait()
            began = time.perf_counter()
            for _ in range(steps):
                self._step(next(self._batches))
            self._wait()
            self._step_seconds = (time.perf_counter() - began) / steps
        self._stand()
        return self._step_seconds

    def _use_up(self, limit_seconds: float) -> None:
        began = time.perf_counter()
        for _ in range(self._prefetched):
            self._step(next(self._batches))
            if time.perf_counter() - began > limit_seconds:
                break
        self._wait()

    def _go(self) -> None:
        self._stillness.let_go(self._pids())

    def _stand(self) -> None:
        self._stillness.hold(self._pids())

    def _pids(self) -> list[int]:
        return self._batches.worker_pids if isinstance(self._batches, Endless) else []
