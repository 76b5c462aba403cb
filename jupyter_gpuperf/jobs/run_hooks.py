"""What is done around each benchmark: the machine is watched, and the result is kept."""

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
    """A result as it is told, and its number among the kept ones."""

    result: BenchmarkResult
    number: int | None


Finish = Callable[[BenchmarkResult], Finished]


def keep(result: BenchmarkResult, store: ResultStore, now_seconds: float) -> Finished:
    """Keep a result; one that can't be kept says so in its warnings."""
    try:
        return Finished(result, store.add(result, now_seconds))
    except Unavailable as error:
        # The result is worth more than its place in a file.
        logger.warning("%s", error.message)
        told = [*result.warnings, f"It was not kept. {error.message} {error.hint}"]
        return Finished(msgspec.structs.replace(result, warnings=told), None)


def keep_result(result: BenchmarkResult) -> Finished:
    """Keep a result among this user's."""
    return keep(result, ResultStore(default_path()), time.time())


@dataclass(frozen=True, kw_only=True)
class RunHooks:
    """Makes what surrounds a run.

    Parameters
    ----------
    store
        Keeps results; ``None`` where none are kept.
    watcher
        Watches the machine; ``None`` where nothing can.
    clock
        Gives Unix time in seconds.
    """

    store: ResultStore | None = None
    watcher: Watcher | None = None
    clock: Callable[[], float] = time.time

    @contextlib.contextmanager
    def run(self, device: str | None) -> Iterator[Finish]:
        """Surround a run on this device; what is yielded takes its result."""
        with contextlib.ExitStack() as stack:
            seen: Callable[[BenchmarkResult], BenchmarkResult] = lambda result: result
            if self.watcher is not None:
                seen = stack.enter_context(self.watcher.watch(device))
            yield lambda result: self._keep(seen(result))

    def _keep(self, result: BenchmarkResult) -> Finished:
        if self.store is None:
            return Finished(result, None)
        return keep(result, self.store, self.clock())
