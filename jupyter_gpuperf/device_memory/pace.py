"""How fast a search goes: at once, or in slices, so that code that runs meanwhile never waits long for the interpreter.

Python code gives the interpreter away when asked. What doesn't is a single call that takes in a whole container: reading
its elements, copying it, or growing a dictionary.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from jupyter_gpuperf.device_memory.main_thread import MainThreadBusy, call_in_main_thread
from jupyter_gpuperf.device_memory.objects import items_of, members_of
from jupyter_gpuperf.device_memory.undisturbed import rest_and_collect

LARGE: Final = 500
SLICE: Final = 500
"""Elements that are taken in at once. Each may make a dictionary of :class:`Identities` grow, all about the same time."""
SLICE_SECONDS: Final = 0.002
PAUSE_SECONDS: Final = 0.0005
"""A thread that only yields often gets the interpreter back before the others wake up."""
COLLECT_SECONDS: Final = 1.0
"""How long the garbage of code that runs meanwhile waits. After each slice would be too often: what the search itself
allocates makes Python collect at once."""
BITS: Final = 0xFF0
"""The bits of an identity that choose one of many dictionaries: the lowest are the same in all."""
_ELEMENTS: Final[dict[int, Callable[[Any], Iterator[Any]]]] = {
    id(list): iter,
    id(tuple): iter,
    id(deque): iter,
    id(set): iter,
    id(frozenset): iter,
    id(dict): lambda each: itertools.chain.from_iterable(each.items()),
}
"""How the elements of a container are read; of exactly these types, so that no code of the user's is called."""
T = TypeVar("T")


class Identities(Generic[T]):
    """Values by identity. In slices, it has many dictionaries, because one of a million entries takes 50 ms to grow."""

    def __init__(self, *, in_slices: bool) -> None:
        self.bits = BITS if in_slices else 0
        self.parts: list[dict[int, T]] = [{} for _ in range(self.bits + 1)]

    def get(self, key: int) -> T | None:
        """Return the value, or ``None``."""
        return self.parts[key & self.bits].get(key)

    def set(self, key: int, value: T) -> None:
        """Store a value."""
        self.parts[key & self.bits][key] = value


class AtOnce:
    """A search that nothing else waits for."""

    in_slices = False
    reads_everything = True

    def pause(self) -> None:
        """Make no pause."""

    def read(self, function: Callable[[], T]) -> T | None:
        """Return what a function reads of torch's C++ objects; ``None`` if it can't be read now."""
        return function()

    def referents(
        self, objects: list[Any], places: list[int]
    ) -> Iterator[tuple[list[int], list[Any]]]:
        """Yield places of objects, and what these refer to."""
        yield places, gc.get_referents(*[objects[i] for i in places])

    def members(self, value: object) -> dict[int, str] | Identities[str]:
        """Return how the members of an object are written; see ``members_of``."""
        return members_of(value)

    def clear(self, *containers: list[Any] | dict[Any, Any]) -> None:
        """Empty large containers."""


AT_ONCE: Final = AtOnce()


class InSlices(AtOnce):
    """A search beside code that runs: others get the interpreter after each 2 ms.

    Parameters
    ----------
    reads_everything
        Whether it may make the calls that go through everything that Python or the allocator has, which can't be
        interrupted.
    loop
        The event loop of the main thread.
    """

    in_slices = True

    def __init__(
        self, *, reads_everything: bool = False, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.reads_everything = reads_everything
        self._loop, self._is_refused = loop, False
        self._began = self._collected_at = time.perf_counter()

    def pause(self) -> None:
        """Sleep a moment, if it is time."""
        now = time.perf_counter()
        if now - self._began <= SLICE_SECONDS:
            return
        if now - self._collected_at > COLLECT_SECONDS:
            self._collected_at = now
            rest_and_collect(PAUSE_SECONDS)
        else:
            time.sleep(PAUSE_SECONDS)
        self._began = time.perf_counter()

    def read(self, function: Callable[[], T]) -> T | None:
        """Call the function in the main thread. If that does not answer, it is not asked again."""
        if self._is_refused:
            return None
        try:
            return call_in_main_thread(function, self._loop)
        except MainThreadBusy:
            self._is_refused = True
            return None
        finally:
            self._began = time.perf_counter()

    def referents(
        self, objects: list[Any], places: list[int]
    ) -> Iterator[tuple[list[int], list[Any]]]:
        """Yield places of objects, and what these refer to; large containers by themselves, in slices."""
        large = {i for i in places if _size(objects[i]) > LARGE}
        small = [i for i in places if i not in large]
        yield small, gc.get_referents(*[objects[i] for i in small])
        for place in large:
            for values in _slices(objects[place]):
                self.pause()
                yield [place], values

    def members(self, value: object) -> dict[int, str] | Identities[str]:
        """Return how the members of an object are written; see ``members_of``."""
        if _size(value) <= LARGE:
            return members_of(value)
        found: Identities[str] = Identities(in_slices=True)
        for key, text in items_of(value, type(value)):
            found.set(key, text)
            self.pause()
        return found

    def clear(self, *containers: list[Any] | dict[Any, Any]) -> None:
        """Empty large containers: what is left is also left to Python's collector, at the end and in one piece."""
        for each in containers:
            while each:
                if isinstance(each, list):
                    del each[-SLICE:]
                else:
                    for _ in range(min(SLICE, len(each))):
                        each.popitem()
                self.pause()


def _size(value: Any) -> int:
    return len(value) if id(type(value)) in _ELEMENTS else 0


def _slices(container: Any) -> Iterator[list[Any]]:
    elements = _ELEMENTS[id(type(container))](container)
    try:
        while values := list(itertools.islice(elements, SLICE)):
            yield values
    except RuntimeError:  # another thread changed it meanwhile
        yield gc.get_referents(container)
