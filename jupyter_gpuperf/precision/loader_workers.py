"""End DataLoader workers that a profile's runs started and nothing refers to any more. Standard library only."""

from __future__ import annotations

import gc
import multiprocessing


def worker_ids() -> set[int | None]:
    """Return the process ids of this process's children."""
    return {each.pid for each in multiprocessing.active_children()}


def end_workers_except(known: set[int | None]) -> None:
    """Shut down iterators of DataLoaders whose workers are not among ``known``.

    Loaders that refer to themselves live until a garbage collection, and torch then waits 5 s for each worker.
    """
    if worker_ids() <= known:
        return
    for each in gc.get_objects():
        if type(each).__name__ == "_MultiProcessingDataLoaderIter":
            workers = getattr(each, "_workers", [])
            if workers and known.isdisjoint(worker.pid for worker in workers):
                each._shutdown_workers()
