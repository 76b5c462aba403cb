"""Actions around each benchmark: observe the machine, and store the result."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.jobs.disturbances import Watcher
from jupyter_gpuperf.results.store import ResultStore, default_path
from jupyter_gpuperf.schemas import BenchmarkResult

logger = logging.getLogger(__name__)


class Finished(NamedTuple):
    """A result as reported, and its number among the stored results."""

    result: BenchmarkResult
    number: int | None


Finish = Callable[[BenchmarkResult], Finished]


def keep(result: BenchmarkResult, store: ResultStore, now_seconds: float) -> Finished:
    """Store a result; if that fails, the result gets a warning."""
    try:
        return Finished(result, store.add(result, now_seconds))
    except Unavailable as error:
        # The result is worth more than its place in a file.
        logger.warning("%s", error.message)
        told = [*result.warnings, f"It was not kept. {error.message} {error.hint}"]
        return Finished(msgspec.structs.replace(result, warnings=told), None)


def keep_result(result: BenchmarkResult) -> Finished:
    """Store a result in this user's file."""
    return keep(result, ResultStore(default_path()), time.time())


@dataclass(frozen=True, kw_only=True)
class RunHooks:
    """Actions before and after a run.

    Parameters
    ----------
    store
        Stores results; ``None`` to store none.
    watcher
        Observes the machine; ``None`` if nothing can.
    clock
        Returns Unix time in seconds.
    """

    store: ResultStore | None = None
    watcher: Watcher | None = None
    clock: Callable[[], float] = time.time

    @contextlib.contextmanager
    def run(self, device: str | None) -> Iterator[Finish]:
        """Wrap a run on this device; the yielded function takes its result."""
        with contextlib.ExitStack() as stack:
            seen: Callable[[BenchmarkResult], BenchmarkResult] = lambda result: result
            if self.watcher is not None:
                seen = stack.enter_context(self.watcher.watch(device))
            yield lambda result: self._keep(seen(result))

    def _keep(self, result: BenchmarkResult) -> Finished:
        if self.store is None:
            return Finished(result, None)
        return keep(result, self.store, self.clock())
