"""Search live objects from names, and remember by which object each was reached first.

Roots are searched in turn: what a variable of the notebook holds is the variable's, even if the history holds it, too.
"""

from __future__ import annotations

import functools
import gc
import itertools
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from jupyter_gpuperf.device_memory.graphs import GraphReader, is_node
from jupyter_gpuperf.device_memory.last_references import LastReferences
from jupyter_gpuperf.device_memory.objects import (
    LEAF_IDS,
    is_made_by_a_function,
    loaded_modules,
    module_of,
)
from jupyter_gpuperf.device_memory.pace import AT_ONCE, SLICE, AtOnce, Identities
from jupyter_gpuperf.device_memory.storages import Storage, StorageReader
from jupyter_gpuperf.state.roots import is_user_module

MOST_OBJECTS: Final = 4_000_000
GROUP_SIZE: Final = 256
ENTERED, LEAF, TENSOR, CLASS, NODE, SAVED, DEFERRED = range(1, 8)
T = TypeVar("T")
TENSORS_AT_ONCE: Final = 100
NO_PARENT: Final = -1


class Root(NamedTuple):
    """Where a search began: ``variable``, ``exception``, ``history`` or ``other``, and the name as typed."""

    kind: str
    name: str


class Walk:
    """A search. It refers to everything that it found, so keep it no longer than needed.

    It needs :func:`~jupyter_gpuperf.device_memory.undisturbed.undisturbed`.

    Parameters
    ----------
    stops
        Objects that are not entered, such as the shell.
    pace
        Whether it is made in slices.

    Attributes
    ----------
    objects, origins
        The objects found, and for each the index of its root. An object's index here is its *place*.
    tensors
        Places of tensors.
    gradients
        Places of tensors that are gradients.
    kept_by_graph
        Place of what a graph's node keeps → the identity of the parameter nearest to the node.
    aliases
        Place → root → the group of objects by which that root reaches it, too.
    """

    def __init__(self, torch: Any, stops: Iterable[Any] = (), pace: AtOnce = AT_ONCE) -> None:
        self.pace = pace
        self.torch, self.storages, self.graphs = torch, StorageReader(torch), GraphReader()
        self.last_references = LastReferences(torch)
        self.roots: list[Root] = []
        self.objects: list[Any] = []
        self.origins: list[int] = []
        self.tensors: list[int] = []
        self.gradients: set[int] = set()
        self.kept_by_graph: dict[int, int] = {}
        self.aliases: dict[int, dict[int, int]] = {}
        self.is_complete = True
        self.could_read = True
        """Whether what torch's C++ objects hold could be read."""
        self._leaves = set(LEAF_IDS)
        self._plans: dict[int, int] = {}
        self._kinds: list[type] = []  # keeps the classes alive, so that their identities stay valid
        self._places: Identities[int] = Identities(in_slices=self.pace.in_slices)
        for each in (*stops, *(vars(module) for _, module in loaded_modules())):
            self._places.set(id(each), -1)
        # Objects are read in groups: for most of them, nobody asks who refers to them.
        self._groups: list[list[int]] = []
        self._group_of: list[int] = []
        self._parents: dict[int, dict[int, int]] = {}
        self._parts: dict[int, list[Storage]] = {}
        self._waiting: list[int] = []
        self._deferred: list[int] = []
        self._graph_starts: list[tuple[int, Any]] = []
        self._unread: list[int] = []
        self._done_nodes: dict[int, set[int]] = {}
        self._deferred_kinds = (*loading_kinds(torch), types.TracebackType, BaseException)

    def search(self, kind: str, values: Iterable[tuple[str, Any]]) -> None:
        """Search from each named value."""
        for name, value in values:
            self.roots.append(Root(kind, name))
            self._meet([value], [], len(self.roots) - 1)
        while self._waiting or self._deferred or self._graph_starts:
            waiting, self._waiting = self._waiting, []
            self._enter(waiting)
            self._read_tensors()
            if not self._waiting:
                self._waiting, self._deferred = self._deferred, []
            if not self._waiting:
                self._enter_graphs()

    def parts_of(self, place: int) -> list[Storage]:
        """Return the storages of a tensor that was found."""
        if (known := self._parts.get(place)) is None:
            self.pace.pause()
            known = self._parts[place] = self.storages_of([self.objects[place]])[0]
        return known

    def parts(self, first: int = 0, last: int | None = None) -> Iterator[Storage]:
        """Yield the storages of the tensors found, or of a slice of :attr:`tensors`."""
        for place in self.tensors[first:last]:
            yield from self.parts_of(place)

    def storages_of(self, tensors: list[Any]) -> list[list[Storage]]:
        """Return the storages of each tensor."""
        found = self._read(lambda: [self.storages.read(each) for each in tensors])
        return found or [[] for _ in tensors]

    def place_of(self, identity: int) -> int | None:
        """Return the place of the object with this ``id()``, or ``None``."""
        place = self._places.get(identity)
        return None if place is None or place < 0 else place

    def parent_of(self, place: int, group: int | None = None) -> int:
        """Return the place of the object that refers to an object, by default the first found, or ``NO_PARENT``."""
        group = self._group_of[place] if group is None else group
        members = self._groups[group]
        if len(members) < 2:
            return members[0] if members else NO_PARENT
        if (known := self._parents.get(group)) is None:
            referred = (
                (id(each), i) for i in members for each in gc.get_referents(self.objects[i])
            )
            known = self._parents[group] = dict(referred)
        return known.get(id(self.objects[place]), NO_PARENT)

    def look_at_all(self, objects: list[Any]) -> None:
        """Take note of a list of all objects, which is about to be dropped."""
        if self.pace.in_slices:
            self.last_references.take(objects)

    def forget(self) -> None:
        """Drop everything that was found, at the search's pace."""
        if self.pace.in_slices:
            remaining = iter(self.objects)  # one for all slices: a new one would count to its slice
            for _ in range(0, len(self.objects), SLICE):
                self.last_references.take(itertools.islice(remaining, SLICE))
                self.pace.pause()
        self.pace.clear(self.objects, self.origins, self.tensors, self._groups, self._group_of)
        self.pace.clear(self.aliases, self.kept_by_graph, self._parents, self._parts)
        for each in self._places.parts:
            each.clear()
            self.pace.pause()
        self.last_references.park()

    def _enter(self, waiting: list[int]) -> None:
        objects = self.objects
        for origin, of_origin in itertools.groupby(waiting, self.origins.__getitem__):
            while group := list(itertools.islice(of_origin, GROUP_SIZE)):
                if len(objects) > MOST_OBJECTS:
                    self.is_complete = False
                    return
                self.pace.pause()
                for places, values in self.pace.referents(objects, group):
                    self._meet(values, places, origin)

    def _meet(self, values: list[Any], group: list[int], origin: int) -> None:
        """Take in what a group of objects refers to. Most of the time of a search is spent here."""
        leaves, origins, objects = self._leaves, self.origins, self.objects
        parts, bits = self._places.parts, self._places.bits
        first = len(objects)
        entered: list[int] = []
        special: list[int] = []
        known: set[int] = set()
        for value in [each for each in values if id(type(each)) not in leaves]:
            key = id(value)
            places = parts[key & bits]
            place = places.get(key)
            if place is None:
                plan = self._plans.get(id(type(value))) or self._plan(type(value))
                places[key] = place = len(objects)
                objects.append(value)
                (entered if plan == ENTERED else special).append(place)
            elif 0 <= place < first and origins[place] != origin:
                known.add(place)
        self._groups.append(group)
        for place in known:
            self.aliases.setdefault(place, {}).setdefault(origin, len(self._groups) - 1)
        count = len(objects) - first
        origins += [origin] * count
        self._group_of += [len(self._groups) - 1] * count
        self._waiting += entered
        for place in special:
            self._meet_special(place)

    def _meet_special(self, place: int) -> None:
        value, origin = self.objects[place], self.origins[place]
        plan = self._plans[id(type(value))]
        if plan == DEFERRED:
            self._deferred.append(place)
        elif plan == NODE:
            self._graph_starts.append((place, value))
        elif plan == SAVED:
            content = self._read(lambda: list(self.graphs.content(value)))
            self._meet(content or [], [place], origin)
        elif plan == TENSOR:
            self.tensors.append(place)
            self._waiting.append(place)
            self._unread.append(place)
        elif plan == CLASS and (is_user_module(module_of(value)) or is_made_by_a_function(value)):
            self._waiting.append(place)

    def _read_tensors(self) -> None:
        """Read graph, gradient and storages of the tensors that were met; the gradients are met, too."""
        while self._unread:
            places, self._unread = self._unread[:TENSORS_AT_ONCE], self._unread[TENSORS_AT_ONCE:]
            for place, (node, gradient, parts) in zip(
                places, self._read(functools.partial(self._contents, places)) or (), strict=False
            ):
                self._parts[place] = parts
                if node is not None:
                    self._graph_starts.append((place, node))
                if gradient is not None:
                    self._meet([gradient], [place], self.origins[place])
                    met = self._places.parts[id(gradient) & self._places.bits][id(gradient)]
                    self.gradients.add(met)

    def _contents(self, places: list[int]) -> list[tuple[Any, Any, list[Storage]]]:
        storages, tensors = self.storages, [self.objects[place] for place in places]
        return [
            (storages.graph(each), storages.gradient(each), storages.read(each)) for each in tensors
        ]

    def _read(self, function: Callable[[], T]) -> T | None:
        def undisturbed() -> T:
            with self.torch._C.DisableTorchFunction():  # it is of one thread
                return function()

        found = self.pace.read(undisturbed if self.pace.in_slices else function)
        self.could_read &= found is not None
        return found

    def _enter_graphs(self) -> None:
        """Meet what the graphs of the tensors found so far keep: for each root, all that it keeps."""
        starts: dict[int, dict[int, tuple[int, Any]]] = {}
        for place, node in self._graph_starts:
            starts.setdefault(self.origins[place], {}).setdefault(id(node), (place, node))
        self._graph_starts = []
        for origin, of_origin in starts.items():
            holders = {key: place for key, (place, _) in of_origin.items()}
            nodes = [node for _, node in of_origin.values()]
            done = self._done_nodes.setdefault(origin, set())
            walking = self.graphs.walk(nodes, done)
            while found := self._read(lambda: list(itertools.islice(walking, 1))):  # noqa: B023
                if found[0] is None:
                    continue
                start, parameter, kept = found[0]
                first_new = len(self.objects)
                self._meet(kept, [holders[id(start)]], origin)
                new = range(first_new, len(self.objects))
                self.kept_by_graph.update(dict.fromkeys(new, id(parameter)))

    def _plan(self, kind: type) -> int:
        self._kinds.append(kind)
        rules = (
            (TENSOR, issubclass(kind, self.storages.tensor)),
            (DEFERRED, issubclass(kind, self._deferred_kinds)),
            (CLASS, issubclass(kind, type)),
            (LEAF, issubclass(kind, types.ModuleType)),
            (NODE, is_node(self.torch, kind)),
            (SAVED, kind is getattr(self.torch._C._autograd, "SavedTensor", None)),
        )
        plan = next((each for each, is_so in rules if is_so), ENTERED)
        self._plans[id(kind)] = plan
        if plan == LEAF:
            self._leaves.add(id(kind))
        return plan


def loading_kinds(torch: Any) -> tuple[type, ...]:
    """Return the classes whose contents are searched late: they hold what has better names elsewhere."""
    loading = sys.modules.get("torch.utils.data.dataloader")
    return tuple(
        each
        for each in (torch.optim.Optimizer, getattr(loading, "_BaseDataLoaderIter", None))
        if each is not None
    )
