"""Save which objects names, attributes and containers refer to, and restore in place what differs."""

from __future__ import annotations

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
OF_FUNCTIONS: Final = ("__code__", "__defaults__", "__kwdefaults__")
"""Attributes of functions that are not in their ``__dict__``."""
OF_CLASSES: Final = frozenset({"__dict__", "__weakref__", "__abstractmethods__", "_abc_impl"})
"""Entries of a class that Python keeps by itself."""
OF_COMPILER: Final = re.compile(
    r"__(?:import|compiled_fn|resume_at|builtins_dict|gen_rand_values|warnings_warn_wrapper|comprehension)_"
)
"""Begins of the names that ``torch.compile`` adds to the globals of compiled functions, such as a cell's."""


def _is_of_compiler(name: str) -> bool:
    """Return whether Dynamo put a name among the user's: without it, code that it compiled would be compiled again."""
    return not name.isidentifier() or OF_COMPILER.match(name) is not None


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
        return [
            name
            for name in self._namespace
            if name not in self._hidden and not _is_of_compiler(name)
        ]

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
    """The members of lists, dictionaries, sets and deques."""

    def __init__(self, containers: Iterable[Any]) -> None:
        self._before = [(each, _members(each)) for each in containers]

    def restore(self) -> None:
        """Restore the members of each container."""
        for container, members in self._before:
            if not _same(_members(container), members):
                _refill(container, members)


class SavedAttributes:
    """The classes and attributes of objects, and the contents of closures.

    Attributes in a ``__dict__`` are saved with the containers; here it is only bound again.
    """

    def __init__(self, objects: Iterable[tuple[str, Any]], cells: Iterable[types.CellType]) -> None:
        self._before = [(path, each, type(each), _places_of(each)) for path, each in objects]
        self._cells = [(cell, content_of(cell)) for cell in cells]
        self.not_restored: dict[str, None] = {}

    def restore(self) -> None:
        """Restore the attributes of each object, and the closures' contents."""
        for path, value, kind, before in self._before:
            if type(value) is not kind:
                self._change(path, value, "__class__", kind)
            now = _places_of(value)
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
        # object.__setattr__ also works for frozen dataclasses.
        setter = type if issubclass(type(value), type) else object
        try:
            if content is NO_VALUE:
                setter.__delattr__(value, name)
            else:
                setter.__setattr__(value, name, content)
        except (AttributeError, TypeError) as error:
            self.not_restored[f"{path}.{name} ({error})"] = None


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's own attributes, including those in slots."""
    places = _places_of(value)
    return {**(own_dictionary(value) or {}), **{k: places[k] for k in places if k != "__dict__"}}


def own_dictionary(value: Any) -> dict[str, Any] | None:
    """Return an object's ``__dict__``; ``None`` if it has none, or one that is made anew each time."""
    try:
        own = value.__dict__
        return own if issubclass(type(own), dict) and own is value.__dict__ else None
    except Exception:  # no dictionary, or a proxy for what is not there  # noqa: BLE001
        return None


def _places_of(value: Any) -> dict[str, Any]:
    """Return a class's attributes, or what an object holds beside its dictionary's members."""
    if issubclass(type(value), type):
        return {name: each for name, each in vars(value).items() if name not in OF_CLASSES}
    places: dict[str, Any] = {}
    if (own := own_dictionary(value)) is not None:
        places["__dict__"] = own
    if issubclass(type(value), types.FunctionType):
        places |= {name: getattr(value, name) for name in OF_FUNCTIONS}
    for owner in type(value).__mro__:
        if "__slots__" in vars(owner) or owner is collections.defaultdict:
            for name, place in vars(owner).items():
                if issubclass(type(place), types.MemberDescriptorType):
                    with contextlib.suppress(AttributeError):
                        places[name] = place.__get__(value)
    return places


def content_of(cell: types.CellType) -> Any:
    """Return the content of a closure's cell; ``NO_VALUE`` when it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return NO_VALUE


def container_type(value: object) -> Any:
    """Return the built-in type of a container; ``None`` for anything else."""
    return next((each for each in CONTAINERS if issubclass(type(value), each)), None)


def _members(container: Any) -> Any:
    """Return the members, read with the built-in type's methods: those of a subclass may have side effects or raise."""
    kind = container_type(container)
    if issubclass(type(container), dict):
        return [*kind.keys(container), *kind.values(container)]
    return list(kind.__iter__(container))


def _same(now: Any, before: Any) -> bool:
    return len(now) == len(before) and all(map(operator.is_, now, before))


def _refill(container: Any, members: Any) -> None:
    kind = container_type(container)
    if not issubclass(type(container), dict):
        kind.clear(container)
        (kind.update if kind is set else kind.extend)(container, members)
        return
    half = len(members) // 2
    if not _same([*kind.keys(container)], members[:half]):  # otherwise no reader misses a key
        kind.clear(container)
    for key, value in zip(members[:half], members[half:], strict=True):
        kind.__setitem__(container, key, value)
