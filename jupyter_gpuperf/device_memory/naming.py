"""Write how the user would name what a search found: ``model``, ``outputs[3]``, ``train.py:12 x``."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.device_memory.objects import dictionary_of
from jupyter_gpuperf.device_memory.pace import Identities
from jupyter_gpuperf.device_memory.walk import NO_PARENT, Root, Walk, loading_kinds

NAMELESS: Final = Root("other", "")
"""The root of tensors that no name reaches."""


class Holding(NamedTuple):
    """Who holds a tensor.

    Attributes
    ----------
    kind
        The kind of owner, as in ``MemoryOwner``.
    owner
        What tensors are added up under.
    holders
        Everything by which it can be reached, the main one first.
    """

    kind: str
    owner: str
    holders: tuple[str, ...]


class _Spot(NamedTuple):
    """How a place is written, and what lies on the way from its root to it.

    Attributes
    ----------
    namer
        The place whose members name what follows: this one, or the object that this ``__dict__`` belongs to.
    module, optimizer, loader
        The first model, optimizer or loader's iterator on the way.
    graph
        The first object on the way that a graph keeps.
    aliased
        The places on the way that other roots reach, too.
    """

    text: str
    namer: int
    module: int | None = None
    optimizer: int | None = None
    loader: int | None = None
    graph: int | None = None
    aliased: tuple[int, ...] = ()


class Names:
    """Names what ``walk`` found.

    Parameters
    ----------
    where
        Function that returns a frame's place as text: ``train.py:12``.
    """

    def __init__(self, walk: Walk, where: Callable[[types.FrameType], str]) -> None:
        self._walk, self._where = walk, where
        self._spots: dict[int, _Spot] = {}
        self._labels: dict[int, dict[int, str] | Identities[str]] = {}
        self._texts: dict[int, tuple[str, ...]] = {}
        self._roles: dict[int, str] = {}
        torch = walk.torch
        self._module, self._parameter = torch.nn.Module, torch.nn.Parameter
        self._optimizer, *self._loading = loading_kinds(torch)

    def holding(self, place: int) -> Holding:
        """Return who holds the tensor at this place."""
        spot = self._spot(place)
        is_parameter = issubclass(type(self._walk.objects[place]), self._parameter)
        if spot.graph is not None:
            return self._in_graph(spot.graph, is_parameter=is_parameter)
        kind, anchor = self._kind(place, spot, is_parameter=is_parameter)
        holders = self._written(place if anchor is None else anchor)
        owner = holders[0]
        if anchor is None and kind in ("variable", "history", "other"):
            root = self._root(place).name
            rest = owner.removeprefix(root)
            owner = owner if rest.startswith(" ") else root + rest.partition("[")[0]
        return Holding(kind, owner, holders)

    def _in_graph(self, place: int, *, is_parameter: bool) -> Holding:
        holders = self._written(place)
        parameter = self._walk.place_of(self._walk.kept_by_graph[place])
        if is_parameter or parameter is None or parameter == place:  # of a deleted model
            return Holding("parameter" if is_parameter else "activation", holders[0], holders)
        name = self._spot(parameter).text
        return Holding("activation", name.rpartition(".")[0] or name, holders)

    def _kind(self, place: int, spot: _Spot, *, is_parameter: bool) -> tuple[str, int | None]:
        """Return the kind of owner, and the place of the model, the optimizer or the loader that it belongs to."""
        if place in self._walk.gradients or is_parameter:
            kind = "gradient" if place in self._walk.gradients else "parameter"
            return kind, spot.optimizer if spot.module is None else spot.module
        if spot.optimizer is not None:
            return "optimizer", spot.optimizer
        if spot.module is not None and self._is_buffer(place):
            return "buffer", spot.module
        if spot.loader is not None:
            return "batch", spot.loader
        return self._root(place).kind, None

    def _is_buffer(self, place: int) -> bool:
        parent = self._walk.parent_of(place)
        module = self._walk.objects[self._spot(parent).namer]
        return dictionary_of(module).get("_buffers") is self._walk.objects[parent]

    def _root(self, place: int) -> Root:
        return self._walk.roots[self._walk.origins[place]]

    def _written(self, place: int) -> tuple[str, ...]:
        """Return everything by which an object can be reached."""
        if (known := self._texts.get(place)) is None:
            known = self._texts[place] = tuple(dict.fromkeys(self._all_texts(place)))
        return known

    def _all_texts(self, place: int) -> Iterator[str]:
        walk, spot = self._walk, self._spot(place)
        yield spot.text
        for each in spot.aliased:
            rest = spot.text.removeprefix(self._spot(each).text)
            for origin, group in walk.aliases[each].items():
                if (root := walk.roots[origin]) != NAMELESS:
                    yield self._under(walk.parent_of(each, group), each, root.name)[0] + rest

    def _spot(self, place: int) -> _Spot:
        trail = []
        at = place
        while at != NO_PARENT and at not in self._spots:
            trail.append(at)
            at = self._walk.parent_of(at)
        for each in reversed(trail):
            self._spots[each] = self._next_spot(at, each)
            at = each
        return self._spots[place]

    def _next_spot(self, parent: int, place: int) -> _Spot:
        text, namer = self._under(parent, place, self._root(place).name)
        before = _Spot("", place) if parent == NO_PARENT else self._spots[parent]
        changes: dict[str, Any] = {"text": text, "namer": namer}
        role = self._role(type(self._walk.objects[place]))
        if role and getattr(before, role) is None:
            changes[role] = place
        if before.graph is None and place in self._walk.kept_by_graph:
            changes["graph"] = place
        if place in self._walk.aliases:
            changes["aliased"] = (*before.aliased, place)
        return before._replace(**changes)

    def _role(self, kind: type) -> str:
        """Return the name of the attribute of a spot that an object of this class sets, or an empty text."""
        if (known := self._roles.get(id(kind))) is None:
            roles = {
                "module": self._module,
                "optimizer": self._optimizer,
                "loader": tuple(self._loading),
            }
            found = (name for name, base in roles.items() if issubclass(kind, base))
            known = self._roles[id(kind)] = next(found, "")
        return known

    def _under(self, parent: int, place: int, root: str) -> tuple[str, int]:
        """Return how an object is written after one that refers to it, and the place that names what follows."""
        walk = self._walk
        value = walk.objects[place]
        if parent == NO_PARENT:
            return root, place
        before = self._spot(parent)
        label = self._labels_of(before.namer).get(id(value))
        if issubclass(type(value), types.FrameType):
            return f"{root} {self._where(value)}".strip(), place
        if label is None and issubclass(type(walk.objects[parent]), walk.storages.tensor):
            label = ".grad" if place in walk.gradients else " → graph"
        return before.text + (label or ""), before.namer if label == "" else place

    def _labels_of(self, place: int) -> dict[int, str] | Identities[str]:
        if (known := self._labels.get(place)) is None:
            known = self._labels[place] = self._walk.pace.members(self._walk.objects[place])
        return known
