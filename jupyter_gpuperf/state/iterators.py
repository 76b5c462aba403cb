"""Lets a live iterator give the same items again: recorded in the ordinary run, replayed in all others.

So every mode sees the same batches, the iterator stands where one run leaves it, and its own time is not measured.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from jupyter_gpuperf.state.reachable import is_live_iterator


def progress_of(iterator: Any) -> object:
    """Return how far an iterator is, as far as it tells."""
    if inspect.isgenerator(iterator):
        return None if iterator.gi_frame is None else iterator.gi_frame.f_lasti
    yielded = getattr(iterator, "_num_yielded", None)  # a DataLoader's
    if yielded is not None:
        return yielded
    hint = getattr(type(iterator), "__length_hint__", None)
    return hint(iterator) if hint is not None else None


class Replayed:
    """Stands in for an iterator. What it is asked for besides items, the iterator answers.

    Parameters
    ----------
    keep
        Called with each new item, before anybody can change it; returns what puts the item back as it was.
    """

    def __init__(self, original: Iterator[Any], keep: Callable[[Any], Callable[[], None]]) -> None:
        self._original, self._keep = original, keep
        self._items: list[Any] = []
        self._put_back: list[Callable[[], None]] = []
        self._place = 0
        self._ended = False

    def __iter__(self) -> Replayed:
        return self

    def __next__(self) -> Any:
        if self._place == len(self._items):
            if self._ended:
                raise StopIteration
            try:
                item = next(self._original)
            except StopIteration:
                self._ended = True
                raise
            self._put_back.append(self._keep(item))
            self._items.append(item)
        self._place += 1
        return self._items[self._place - 1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def rewind(self, *, fresh: bool = False) -> None:
        """Begin again; ``fresh`` undoes what a run did to the items."""
        self._place = 0
        if fresh:
            for put_back in self._put_back:
                put_back()


class Iterators:
    """The live iterators among a namespace's names.

    They are bound to their stand-ins while a run goes on, and to themselves otherwise.
    """

    def __init__(
        self,
        namespace: MutableMapping[str, Any],
        hidden: frozenset[str],
        keep: Callable[[Any], Callable[[], None]],
    ) -> None:
        self._namespace = namespace
        stand_ins: dict[int, Replayed] = {}
        self._bound: dict[str, tuple[Any, Replayed]] = {}
        for name, value in namespace.items():
            if name not in hidden and is_live_iterator(value):
                stand_in = stand_ins.setdefault(id(value), Replayed(value, keep))
                self._bound[name] = (value, stand_in)
        self._taken: dict[str, int] = {}

    @property
    def originals(self) -> list[Any]:
        """The iterators themselves."""
        return [original for original, _ in self._bound.values()]

    def install(self, *, fresh: bool = False) -> None:
        """Bind the names to their stand-ins, at the beginning."""
        for name, (_, stand_in) in self._bound.items():
            stand_in.rewind(fresh=fresh)
            self._namespace[name] = stand_in

    def remove(self) -> None:
        """Bind the names to the iterators again; a name that the run bound anew is left."""
        for name, (original, stand_in) in self._bound.items():
            if self._namespace.get(name) is stand_in:
                self._namespace[name] = original

    def note_taken(self) -> Mapping[str, int]:
        """Remember how many items the ordinary run took; return them by name, where it took any."""
        for name, (_, stand_in) in self._bound.items():
            if stand_in._place:
                self._taken[name] = stand_in._place
        return self._taken

    def give_back(self) -> list[str]:
        """Put items before the iterators that other runs took beyond the ordinary one; return the names."""
        names = []
        for name, (original, stand_in) in self._bound.items():
            rest = stand_in._items[self._taken.get(name, 0) :]
            is_bound = self._namespace.get(name) is original
            if rest and is_bound:
                self._namespace[name] = itertools.chain(rest, original)
                names.append(name)
        return names
