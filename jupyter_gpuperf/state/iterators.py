"""Make a live iterator give the same items in every run: they are recorded in the first run and replayed in all others.

So every mode sees the same batches, the iterator ends where one run leaves it, and its own time is not measured.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from jupyter_gpuperf.state.bindings import attributes_of
from jupyter_gpuperf.state.reachable import is_live_iterator
from jupyter_gpuperf.state.values import Access

UNREADABLE: Final = {enumerate, itertools.cycle, type(itertools.tee(())[0])}
"""Iterators that keep their place to themselves."""
DEEPEST: Final = 5
"""Iterators may draw from others, down to this depth; one may also hold itself."""


def access_to_iterator(iterator: Any) -> Access:
    """Return access to an iterator's position. It can be set if the iterator goes over a sequence."""
    is_standard = type(iterator).__module__ == "builtins" and hasattr(iterator, "__setstate__")
    if is_standard and type(iterator.__reduce__()[-1]) is int:
        return Access(lambda: iterator.__reduce__()[2:], lambda at: iterator.__setstate__(*at))
    return Access(lambda: _position_of(iterator))


def _position_of(iterator: Any, depth: int = 0) -> list[Any]:
    """Return what changes when an iterator advances: what it holds, and the positions of those that it draws from."""
    kind = type(iterator)
    if inspect.isgenerator(iterator):
        frame = iterator.gi_frame
        place = [None if frame is None else frame.f_lasti]
    elif kind in UNREADABLE:
        place = _reduced(iterator)
    else:
        hint = getattr(kind, "__length_hint__", None)
        place = [*attributes_of(iterator).values(), None if hint is None else hint(iterator)]
    if kind.__module__ in ("builtins", "itertools"):
        for each in gc.get_referents(iterator):
            place += _as_tuple(each)
    if depth == DEEPEST:
        return place
    return [_position_of(each, depth + 1) if is_live_iterator(each) else each for each in place]


def _reduced(iterator: Any) -> list[Any]:
    """Return the state of an iterator that only shows it when it is pickled; since Python 3.14, not all can be."""
    with warnings.catch_warnings(), contextlib.suppress(TypeError):
        warnings.simplefilter("ignore", DeprecationWarning)
        return list(itertools.chain.from_iterable(map(_as_tuple, iterator.__reduce__()[1:])))
    return [object()]


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


class ReplayedIterator:
    """Stands in for an iterator: takes new items from it and replays earlier ones. Attributes come from the original.

    Parameters
    ----------
    keep
        Called with each new item, before the cell can change it. Returns a function that restores the item.
    """

    def __init__(self, original: Iterator[Any], keep: Callable[[Any], Callable[[], None]]) -> None:
        self._original, self._keep = original, keep
        self._items: list[Any] = []
        self._put_back: list[Callable[[], None]] = []
        self._place = 0
        self._ended = False

    def __iter__(self) -> ReplayedIterator:
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
        """Start again from the first item; ``fresh`` also restores the items, which a run may have changed."""
        self._place = 0
        if fresh:
            for put_back in self._put_back:
                put_back()


class LiveIterators:
    """The live iterators among a namespace's names.

    During a run the names are bound to stand-ins, and otherwise to the iterators themselves.
    """

    def __init__(
        self,
        namespace: MutableMapping[str, Any],
        hidden: frozenset[str],
        keep: Callable[[Any], Callable[[], None]],
    ) -> None:
        self._namespace = namespace
        stand_ins: dict[int, ReplayedIterator] = {}
        self._bound: dict[str, tuple[Any, ReplayedIterator]] = {}
        for name, value in namespace.items():
            if name not in hidden and is_live_iterator(value):
                stand_in = stand_ins.setdefault(id(value), ReplayedIterator(value, keep))
                self._bound[name] = (value, stand_in)
        self._taken: dict[str, int] = {}

    @property
    def originals(self) -> list[Any]:
        """The original iterators."""
        return [original for original, _ in self._bound.values()]

    def install(self, *, fresh: bool = False) -> None:
        """Bind the names to their stand-ins, rewound to the first item; ``fresh`` also restores the items."""
        for name, (_, stand_in) in self._bound.items():
            stand_in.rewind(fresh=fresh)
            self._namespace[name] = stand_in

    def remove(self) -> None:
        """Bind the names to the iterators again, except names that the run rebound."""
        for name, (original, stand_in) in self._bound.items():
            if self._namespace.get(name) is stand_in:
                self._namespace[name] = original

    def note_taken(self) -> Mapping[str, int]:
        """Record how many items the ordinary run took; return the counts by name, for iterators that were used."""
        self._taken = {name: each._place for name, (_, each) in self._bound.items() if each._place}
        return self._taken

    def give_back(self) -> list[str]:
        """Give the items that only other runs took back to the iterators, in front; return the iterators' names."""
        names = []
        for name, (original, stand_in) in self._bound.items():
            rest = stand_in._items[self._taken.get(name, 0) :]
            is_bound = self._namespace.get(name) is original
            if rest and is_bound:
                self._namespace[name] = itertools.chain(rest, original)
                names.append(name)
        return names
