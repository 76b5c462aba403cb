"""Keeps which objects hang where: names, attributes, members of containers. Put back in place, touching only what differs."""

from __future__ import annotations

import collections
import types
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

from jupyter_gpuperf.amp.heap import attributes_of

EMPTY: Final = object()


class Names:
    """The bindings of a namespace."""

    def __init__(self, namespace: MutableMapping[str, Any], hidden: frozenset[str]) -> None:
        self._namespace, self._hidden = namespace, hidden
        self._before = {name: namespace[name] for name in self._visible()}

    def _visible(self) -> list[str]:
        return [name for name in self._namespace if name not in self._hidden]

    def restore(self) -> None:
        """Bind each name to what it stood for; those that came since go."""
        for name in self._visible():
            if name not in self._before:
                del self._namespace[name]
        for name, value in self._before.items():
            if self._namespace.get(name, EMPTY) is not value:
                self._namespace[name] = value


class Containers:
    """The members of lists, dictionaries, sets and queues."""

    def __init__(self, containers: Iterable[Any]) -> None:
        self._before = [(each, _members(each)) for each in containers]

    def restore(self) -> None:
        """Give each its members back."""
        for container, members in self._before:
            if not _same(_members(container), members):
                _refill(container, members)


class Attributes:
    """The attributes of objects, and what closures hold."""

    def __init__(self, objects: Iterable[Any], cells: Iterable[types.CellType]) -> None:
        self._before = [(each, attributes_of(each)) for each in objects]
        self._cells = [(cell, _content(cell)) for cell in cells]
        self.not_restored: list[str] = []

    def restore(self) -> None:
        """Give each its attributes back."""
        for value, before in self._before:
            now = attributes_of(value)
            for name in now:
                if name not in before:
                    self._change(value, name, EMPTY)
            for name, each in before.items():
                if now.get(name, EMPTY) is not each:
                    self._change(value, name, each)
        for cell, content in self._cells:
            if _content(cell) is not content and content is not EMPTY:
                cell.cell_contents = content

    def _change(self, value: Any, name: str, content: Any) -> None:
        try:
            own = getattr(value, "__dict__", None)
            if isinstance(own, dict):  # past properties, and modules' own bookkeeping
                if content is EMPTY and name in own:
                    del own[name]
                    return
                if content is not EMPTY and (name in own or not hasattr(type(value), name)):
                    own[name] = content
                    return
            # A class, or a slot; object's own way serves frozen data classes, too.
            setter = type if isinstance(value, type) else object
            if content is EMPTY:
                setter.__delattr__(value, name)
            else:
                setter.__setattr__(value, name, content)
        except (AttributeError, TypeError) as error:
            self.not_restored.append(f"{type(value).__name__}.{name} ({error})")


def _members(container: Any) -> Any:
    if isinstance(container, dict):
        return list(dict.items(container))
    if isinstance(container, bytearray):
        return bytes(container)
    return list(container)


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, bytes):
        return bool(now == before)
    if len(now) != len(before):
        return False
    if before and isinstance(before[0], tuple) and isinstance(now[0], tuple):
        return all(
            a is b
            or (
                isinstance(a, tuple)
                and isinstance(b, tuple)
                and len(a) == len(b) == 2
                and a[0] is b[0]
                and a[1] is b[1]
            )
            for a, b in zip(now, before, strict=True)
        )
    return all(a is b for a, b in zip(now, before, strict=True))


def _refill(container: Any, members: Any) -> None:
    """By the plain type's own ways: a subclass may count, check or refuse."""
    if isinstance(container, collections.OrderedDict):
        collections.OrderedDict.clear(container)
        for key, value in members:
            collections.OrderedDict.__setitem__(container, key, value)
    elif isinstance(container, dict):
        dict.clear(container)
        dict.update(container, members)
    elif isinstance(container, set):
        set.clear(container)
        set.update(container, members)
    elif isinstance(container, collections.deque):
        collections.deque.clear(container)
        collections.deque.extend(container, members)
    elif isinstance(container, bytearray):
        container[:] = members
    else:
        list.__setitem__(container, slice(None), members)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY
