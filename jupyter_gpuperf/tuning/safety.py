"""Keep a trial from harming the notebook: watch it, end it, and report why it failed.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_gpuperf.loaders.subject import recording_context
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.budget import Budget, gib

KEPT_FREE: Final = 0.15
"""Share of the memory, or of the shared memory, that must stay free."""
STOPPED: Final = {
    "memory": "stopped: only {free} of memory were free",
    "shared memory": "stopped: only {free} of shared memory were free",
}
POLL_SECONDS: Final = 0.1
KILLED_SECONDS: Final = 2.0
"""How long torch may take to close an iterator whose workers are dead."""


class Watchdog(threading.Thread):
    """Kills a trial's own workers before memory runs out. It never kills another process.

    It is started after the workers, so that no worker is forked while this thread runs.

    Parameters
    ----------
    processes
        The workers, as created by multiprocessing.
    """

    def __init__(self, processes: Sequence[Any], budget: Budget) -> None:
        super().__init__(name="gpuperf-watchdog", daemon=True)
        self._processes = processes
        self._floors = {
            "memory": floor_of(budget.memory_bytes, budget.memory_limit_bytes),
            "shared memory": floor_of(budget.shared_memory_bytes, budget.shared_memory_total_bytes),
        }
        self._stop_asked = threading.Event()
        self.reason: Message | None = None
        self.least_shared_bytes: int | None = None

    def run(self) -> None:
        """Check every 0.1 s until stopped."""
        self.check()
        while self.reason is None and not self._stop_asked.wait(POLL_SECONDS):
            self.check()

    def check(self) -> None:
        """Check the free memory once; kill the workers when it is too low."""
        shared = resources.shared_memory_free_bytes()
        if shared is not None:
            least = self.least_shared_bytes
            self.least_shared_bytes = shared if least is None else min(shared, least)
        for what, free in (
            ("memory", resources.available_memory_bytes()),
            ("shared memory", shared),
        ):
            floor = self._floors[what]
            if free is not None and floor is not None and free < floor:
                self.reason = Message(STOPPED[what], free=gib(free))
                kill(self._processes)
                return

    def stop(self) -> None:
        """Stop the watchdog and wait for its thread."""
        self._stop_asked.set()
        if self.is_alive():
            self.join()


def floor_of(free_bytes: int | None, total_bytes: int | None) -> float | None:
    """Return the bytes that must stay free: 15 % of the total, at most half of what was free; ``None`` if unknown."""
    if free_bytes is None:
        return None
    return min(KEPT_FREE * (total_bytes or free_bytes), free_bytes / 2)


def kill(processes: Sequence[Any]) -> None:
    """Kill the workers that are still running."""
    for process in processes:
        if process.pid is not None and process.exitcode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)


def close(
    iterator: Any, processes: Sequence[Any], *, at_once: bool, seconds: float = KILLED_SECONDS
) -> None:
    """Close a loader's iterator and end its remaining workers.

    Parameters
    ----------
    at_once
        Don't wait for the workers' current batches, which may take long or never finish.
    seconds
        How long to wait for them otherwise.
    """
    if at_once:
        with contextlib.suppress(Exception):
            # Otherwise, torch takes the end of a worker for a failure and raises in the main thread.
            from torch.utils.data._utils.signal_handling import _remove_worker_pids

            if iterator._worker_pids_set:
                _remove_worker_pids(id(iterator))
                iterator._worker_pids_set = False
        kill(processes)
    _shut_down(iterator, KILLED_SECONDS if at_once else seconds)
    kill(processes)
    for process in processes:
        with contextlib.suppress(Exception):
            process.join(5)


@contextlib.contextmanager
def items_from_workers(
    dataset: Any, count: int, method: str, **options: Any
) -> Iterator[tuple[Any, list[Any]]]:
    """Yield an iterator over the items that new workers load, and a list of the workers. End the workers afterwards."""
    from torch.utils.data import DataLoader

    processes: list[Any] = []
    items = iter(
        DataLoader(
            dataset,
            batch_size=None,
            num_workers=count,
            prefetch_factor=count,
            multiprocessing_context=recording_context(method, processes),
            **options,
        )
    )
    try:
        yield items, processes
    finally:
        close(items, processes, at_once=True)


def _shut_down(iterator: Any, seconds: float) -> None:
    """Let torch close an iterator, and wait at most ``seconds``.

    A killed worker may have held a lock that it shares with this process, or have left half a batch in the pipe.
    torch then waits forever. Therefore, torch's function runs in a separate thread.
    """

    def shut_down() -> None:
        # A worker's death has already been reported.
        with contextlib.suppress(Exception):
            iterator._shutdown_workers()

    if hasattr(iterator, "_shutdown_workers"):
        ending = threading.Thread(target=shut_down, name="gpuperf-shutdown", daemon=True)
        ending.start()
        ending.join(seconds)


EXITS: Final = {
    "SIGBUS": "a worker died of a bus error: shared memory (/dev/shm) is full",
    "SIGKILL": "a worker was killed, probably because memory ran out",
    "SIGSEGV": "a worker crashed (segmentation fault)",
}
RAISED: Final = re.compile(r"^Caught (\w+) in DataLoader worker")


def describe_failure(
    error: BaseException, processes: Sequence[Any], watchdog: Watchdog | None = None
) -> str:
    """Return why a trial failed, in one line."""
    if watchdog is not None and watchdog.reason is not None:
        return watchdog.reason
    text = str(error).strip()
    if RAISED.match(text):
        return Message("a worker raised {error}", error=_last_line(text))
    if "DataLoader timed out" in text:
        return Message("no batch came in time")
    signals = [-each.exitcode for each in processes if each.exitcode and each.exitcode < 0]
    if signals:
        names = {each.value: each.name for each in signal.Signals}
        name = names.get(signals[0], f"signal {signals[0]}")
        if name in EXITS:
            return Message(EXITS[name])
        return Message("a worker was killed by {signal}", signal=name)
    if "bus error" in text.lower() or "shm" in text:
        return Message(EXITS["SIGBUS"])
    if "exited unexpectedly" in text:
        return Message("a worker exited by itself; see the notebook's output or log")
    return f"{type(error).__name__}: {_last_line(text)}" if text else type(error).__name__


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip()[:300]


ITERATOR_DEL: Final = "DataLoaderIter.__del__"
PINNING: Final = "_pin_memory_loop"
"""Function that receives batches from the workers in a thread of its own; the thread's name contains this name."""
PIPE_ERRORS: Final = (OSError, EOFError)


@contextlib.contextmanager
def suppressing_iterator_errors() -> Iterator[None]:
    """Suppress torch's errors from interrupted iterators, and collect these before the context ends."""
    unraisable_before, thread_before = sys.unraisablehook, threading.excepthook
    users_threads = set(threading.enumerate())

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        if ITERATOR_DEL not in repr(what.object):
            unraisable_before(what)

    def in_thread(what: threading.ExceptHookArgs) -> None:
        ours = what.thread is not None and what.thread not in users_threads
        # A worker killed while it sends a batch resets the connection.
        if not (ours and PINNING in str(what.thread) and issubclass(what.exc_type, PIPE_ERRORS)):
            thread_before(what)

    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook, threading.excepthook = unraisable_before, thread_before
