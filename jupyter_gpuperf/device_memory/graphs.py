"""What autograd graphs keep for the backward pass.

``_saved_…`` is never read: it would run the user's unpack hooks and, under checkpointing, the forward pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final

from jupyter_gpuperf.device_memory.objects import bases_of, dictionary_of, names_of_class

MOST_NODES: Final = 500_000
NODES_AT_ONCE: Final = 300
RAW: Final = "_raw_saved_"
NUMBER: Final = "_sequence_nr"


def is_node(torch: Any, kind: type) -> bool:
    """Return whether objects of this class are nodes of a graph."""
    return "next_functions" in names_of_class(kind) or issubclass(kind, torch._C._FunctionBase)


class GraphReader:
    """Reads graphs. It keeps the nodes, so that their identities stay valid."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.most_nodes = MOST_NODES
        self._places: dict[int, dict[str, Any]] = {}
        self.hidden_count = 0
        """Saved tensors that this version of torch doesn't show."""

    def walk(
        self, starts: Iterable[Any], done: set[int]
    ) -> Iterator[tuple[Any, Any, list[Any]] | None]:
        """Yield, for each node that can be reached: the start, the nearest parameter, and what the node keeps.

        ``None`` stands for a part of the work before these.
        """
        edges: dict[int, list[Any]] = {}
        found: list[tuple[Any, Any]] = []
        for start in starts:
            waiting = [start]
            while waiting and len(self.nodes) < self.most_nodes:
                node = waiting.pop()
                if id(node) in done:
                    continue
                done.add(id(node))
                self.nodes.append(node)
                found.append((start, node))
                edges[id(node)] = following = self._next(node)
                waiting += following
                if len(found) % NODES_AT_ONCE == 0:
                    yield None
        nearest = yield from self._nearest([node for _, node in found], edges)
        for start, node in found:
            yield start, nearest.get(id(node)), list(self._kept(node))

    def number(self, node: Any) -> int:
        """Return a number that is higher the later a node was made; 0 if torch doesn't tell."""
        number = self._read(node, NUMBER)
        return int(number()) if number is not None else 0

    def content(self, saved: Any) -> Iterator[Any]:
        """Yield what a saved tensor keeps: the tensor, or what the user's hooks made of it, and what they refer to."""
        if saved is not None and not hasattr(type(saved), "data"):
            self.hidden_count += 1
            return
        for name in ("data", "unpack_hook"):
            try:
                content = getattr(saved, name, None)
            except Exception:  # freed by the backward pass  # noqa: BLE001
                content = None
            if content is not None:
                yield content

    def _nearest(
        self, nodes: list[Any], edges: dict[int, list[Any]]
    ) -> Generator[None, None, dict[int, Any]]:
        """Return the parameter that is the fewest nodes away from each node, on the way to the inputs."""
        backwards: dict[int, list[Any]] = {}
        nearest: dict[int, Any] = {}
        for count, node in enumerate(nodes):
            for each in edges[id(node)]:
                backwards.setdefault(id(each), []).append(node)
            if not edges[id(node)]:
                nearest[id(node)] = self._read(node, "variable")
            if count % NODES_AT_ONCE == 0:
                yield None
        waiting = deque(node for node in nodes if nearest.get(id(node)) is not None)
        while waiting:
            node = waiting.popleft()
            for each in backwards.get(id(node), ()):
                if id(each) not in nearest:
                    nearest[id(each)] = nearest[id(node)]
                    waiting.append(each)
        return nearest

    def _next(self, node: Any) -> list[Any]:
        pairs = self._read(node, "next_functions") or ()
        return [each for each, _ in pairs if each is not None]

    def _kept(self, node: Any) -> Iterator[Any]:
        for name in self._attributes(node):
            if name.startswith(RAW):
                saved = self._read(node, name)
                for each in saved if type(saved) in (tuple, list) else (saved,):
                    yield from self.content(each)
        yield from (self._read(node, "variable"), *dictionary_of(node).values())

    def _read(self, node: Any, name: str) -> Any:
        place = self._attributes(node).get(name)
        try:
            return None if place is None else place.__get__(node)
        except Exception:  # freed by the backward pass  # noqa: BLE001
            return None

    def _attributes(self, node: Any) -> dict[str, Any]:
        kind = type(node)
        if (known := self._places.get(id(kind))) is None:
            every = (
                each for base in reversed(bases_of(kind)) for each in names_of_class(base).items()
            )
            known = {
                name: place
                for name, place in every
                if name.startswith(RAW) or name in ("next_functions", "variable", NUMBER)
            }
            self._places[id(kind)] = known
        return known
