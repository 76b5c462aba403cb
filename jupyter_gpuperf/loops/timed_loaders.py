"""Wrappers that time loaders other than torch's; all other attributes are those of the wrapped loader."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_gpuperf.loops.clock import IteratorClock


class TimedIterator:
    """An iterator whose batches are timed."""

    def __init__(self, inner: Iterator[Any], clock: IteratorClock) -> None:
        self._inner, self._clock = inner, clock

    def __iter__(self) -> TimedIterator:
        return self

    def __next__(self) -> Any:
        clock = self._clock
        clock.batch_requested(time.perf_counter())
        try:
            batch = next(self._inner)
        except BaseException:
            clock.end()
            raise
        clock.batch_received(time.perf_counter(), batch)
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TimedIterable:
    """A loader whose iterators are timed."""

    def __init__(self, inner: Any, new_clock: Callable[[], IteratorClock]) -> None:
        self._inner, self._new_clock = inner, new_clock

    @property
    def unwrapped(self) -> Any:
        """The wrapped loader itself."""
        return self._inner

    def __iter__(self) -> TimedIterator:
        return TimedIterator(iter(self._inner), self._new_clock())

    def __len__(self) -> int:
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
