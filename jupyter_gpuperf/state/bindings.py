"""Save which objects names, attributes and containers refer to, and restore in place what differs."""

from __future__ import annotations

import array
import collections
import contextlib
import operator
import re
import types
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

NO_VALUE: Final = object()
MUTABLE_CONTAINERS: Final = (collections.OrderedDict, dict, list, set, collections.deque)
CONTAINERS: Final = (*MUTABLE_CONTAINERS, tuple, frozenset)
BUFFERS: Final = (bytearray, array.array)


class SavedNames:
    """The bindings of a namespace, and of single names elsewhere.

    Parameters
    ----------
    namespace
        Names added to it later are deleted on restore.
    hidden
        Names in it that are left alone.
    others
        Pairs of another namespace and a name in it that code uses.
    """

    def __init__(
        self,
        namespace: MutableMapping[str, Any],
        hidden: frozenset[str],
        others: Iterable[tuple[dict[str, Any], str]],
    ) -> None:
        self._namespace, self._hidden = namespace, hidden
        bound = [(namespace, name) for name in self._visible()]
        self._before = [
            (owner, name, owner.get(name, NO_VALUE)) for owner, name in (*bound, *others)
        ]

    def _visible(self) -> list[str]:
        return [name for name in self._namespace if name not in self._hidden]

    def restore(self) -> None:
        """Bind each name to its earlier value; delete names that were added since."""
        before = {name for owner, name, _ in self._before if owner is self._namespace}
        for name in self._visible():
            if name not in before:
                del self._namespace[name]
        for owner, name, value in self._before:
            if value is NO_VALUE:
                owner.pop(name, None)
            elif owner.get(name, NO_VALUE) is not value:
                owner[name] = value


class SavedContainers:
    """The members of lists, dictionaries, sets, deques and buffers."""

    def __init__(self, containers: Iterable[Any]) -> None:
        self._before = [(each, _members(each)) for each in containers]

    def restore(self) -> None:
        """Restore the members of each container."""
        for container, members in self._before:
            if not _same(_members(container), members):
                _refill(container, members)


class SavedAttributes:
    """The attributes of objects, and the contents of closures."""

    def __init__(self, objects: Iterable[tuple[str, Any]], cells: Iterable[types.CellType]) -> None:
        self._before = [(path, each, attributes_of(each)) for path, each in objects]
        self._cells = [(cell, content_of(cell)) for cell in cells]
        self.not_restored: list[str] = []

    def restore(self) -> None:
        """Restore the attributes of each object, and the closures' contents."""
        for path, value, before in self._before:
            now = attributes_of(value)
            for name in now.keys() | before.keys():
                content = before.get(name, NO_VALUE)
                if now.get(name, NO_VALUE) is not content:
                    self._change(path, value, name, content)
        for cell, content in self._cells:
            if content_of(cell) is not content:
                if content is NO_VALUE:
                    del cell.cell_contents
                else:
                    cell.cell_contents = content

    def _change(self, path: str, value: Any, name: str, content: Any) -> None:
        try:
            own = getattr(value, "__dict__", None)
            if isinstance(own, dict):  # bypasses properties, and the bookkeeping of nn.Module
                if content is NO_VALUE and name in own:
                    del own[name]
                    return
                if content is not NO_VALUE and (name in own or not hasattr(type(value), name)):
                    own[name] = content
                    return
            # A class, or a slot. object.__setattr__ also works for frozen dataclasses.
            setter = type if isinstance(value, type) else object
            if content is NO_VALUE:
                setter.__delattr__(value, name)
            else:
                setter.__setattr__(value, name, content)
        except (AttributeError, TypeError) as error:
            self.not_restored.append(f"{path}.{name} ({error})")


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's own attributes, including those in slots."""
    if isinstance(value, type):
        own = vars(value).items()
        return {name: each for name, each in own if not re.fullmatch("__.*__", name)}
    attributes: dict[str, Any] = dict(getattr(value, "__dict__", {}))
    for owner in type(value).__mro__:
        if "__slots__" in vars(owner):
            for name, place in vars(owner).items():
                if isinstance(place, types.MemberDescriptorType):
                    with contextlib.suppress(AttributeError):
                        attributes[name] = place.__get__(value)
    return attributes


def content_of(cell: types.CellType) -> Any:
    """Return the content of a closure's cell; ``NO_VALUE`` when it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return NO_VALUE


def container_type(value: object) -> Any:
    """Return the built-in type of a container; ``None`` for anything else."""
    return next((each for each in CONTAINERS if isinstance(value, each)), None)


def _members(container: Any) -> Any:
    """Return the members, read with the built-in type's methods: those of a subclass may have side effects or raise."""
    if isinstance(container, BUFFERS):
        return container[:]
    kind = container_type(container)
    if isinstance(container, dict):
        return [*kind.keys(container), *kind.values(container)]
    return list(kind.__iter__(container))


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, BUFFERS):
        return bool(now == before)
    return len(now) == len(before) and all(map(operator.is_, now, before))


def _refill(container: Any, members: Any) -> None:
    kind = container_type(container)
    if kind is None:
        container[:] = members
        return
    kind.clear(container)
    if isinstance(container, dict):
        half = len(members) // 2
        for key, value in zip(members[:half], members[half:], strict=True):
            kind.__setitem__(container, key, value)
    else:
        (kind.update if kind is set else kind.extend)(container, members)
