"""Actions around each benchmark: observe the machine, and store the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.jobs.disturbances import AddObservations, DisturbanceWatcher
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.store import ResultStore, default_path
from jupyter_gpuperf.schemas import BenchmarkResult

logger = logging.getLogger(__name__)


class FinishedRun(NamedTuple):
    """A result, and its number among the stored results, which is ``None`` if it was not stored."""

    result: BenchmarkResult
    number: int | None


Finish = Callable[[BenchmarkResult], FinishedRun]


def store_result(
    result: BenchmarkResult, store: ResultStore | None, now_seconds: float
) -> FinishedRun:
    """Store a result if there is a store. If storing fails, the result gets a warning."""
    if store is None:
        return FinishedRun(result, None)
    try:
        return FinishedRun(result, store.add(result, now_seconds))
    except Unavailable as error:
        # If the result can't be stored, it must still be returned.
        logger.warning("%s", error.message)
        message = "The result was not saved. {error} {what_to_do}"
        warning = Message(message, error=error.message, what_to_do=error.hint)
        result = msgspec.structs.replace(result, warnings=[*result.warnings, warning])
        return FinishedRun(result, None)


def store_for_user(result: BenchmarkResult) -> FinishedRun:
    """Store a result in this user's file of results."""
    return store_result(result, ResultStore(default_path()), time.time())


@dataclass(frozen=True, kw_only=True)
class RunHooks:
    """Actions before and after each run of a benchmark.

    Parameters
    ----------
    store
        Where results are stored; ``None`` to store none.
    watcher
        Observes the machine; ``None`` to observe nothing.
    clock
        Returns Unix time in seconds.
    """

    store: ResultStore | None = None
    watcher: DisturbanceWatcher | None = None
    clock: Callable[[], float] = time.time

    @contextmanager
    def run(self, device: str | None) -> Iterator[Finish]:
        """Observe a run on this device; the yielded function completes the result and stores it."""
        unwatched: AbstractContextManager[AddObservations] = nullcontext(lambda result: result)
        with self.watcher.watch(device) if self.watcher else unwatched as observe:
            yield lambda result: store_result(observe(result), self.store, self.clock())
