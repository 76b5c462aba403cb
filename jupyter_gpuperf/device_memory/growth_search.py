"""Find the variable that holds what was added to a device's memory between the ends of two steps."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any, Final

from jupyter_gpuperf.device_memory.allocator import read_allocator
from jupyter_gpuperf.device_memory.naming import Names
from jupyter_gpuperf.device_memory.notebook import LOCAL, Notebook
from jupyter_gpuperf.device_memory.undisturbed import undisturbed
from jupyter_gpuperf.device_memory.walk import NO_PARENT, Walk
from jupyter_gpuperf.loops.growth_watch import SEARCHED_STEPS, GrowthHolder

LIMIT_SECONDS: Final = 2.0
"""CPU time, so that other work on the machine does not end the search."""
MOST_NODES: Final = 20_000
"""Nodes of graphs; those of the newest tensors come first."""
SHARE: Final = (0.3, 1.5)
"""Of what was added, the least and the most that a holder has: what each step replaces is less, or was not added."""
REPLACED: Final = frozenset({"parameter", "gradient", "optimizer", "buffer", "batch"})
"""Kinds of tensors that a step may replace by new ones, without keeping the old."""
GRAPH: Final = " → graph"
NUMBERS: Final = re.compile(r"\d+(?=[^\[\]]*\])")
REPEATED: Final = re.compile(r"(\.\w+)\1+")


class HolderSearch:
    """Looks at the notebook's objects twice, each time in the thread of the loop and at the end of a step.

    It keeps addresses only, and the loop continues whatever happens here.
    """

    def __init__(self, torch: Any, notebook: Notebook, device: Any) -> None:
        self._torch, self._notebook, self._device = torch, notebook, device
        self._known: set[int] = set()

    def begin(self) -> None:
        """Remember the addresses of the memory in use."""
        try:
            with undisturbed(self._torch):
                if self._device.type == "cpu":
                    walk = self._walk()
                    self._known = {part.address for part in walk.parts()}
                else:
                    self._known = set(read_allocator(self._torch, self._device).blocks)
        except Exception:  # see the class  # noqa: BLE001
            self._known = set()

    def end(self, added_bytes: float) -> GrowthHolder | None:
        """Return the holder of what was added; ``None`` if none holds enough of it."""
        try:
            with undisturbed(self._torch):
                return self._holder(added_bytes) if self._known else None
        except Exception:  # see the class  # noqa: BLE001
            return None

    def _holder(self, added_bytes: float) -> GrowthHolder | None:
        held: dict[tuple[str, bool], dict[int, int]] = {}
        walk = self._walk()
        names = Names(walk, self._notebook.place_of_frame)
        for place in walk.tensors:
            for part in walk.parts_of(place):
                if part.address not in self._known and part.device == str(self._device):
                    for holder in _holders(walk, names, place):
                        held.setdefault(holder, {})[part.address] = part.bytes
        least, most = (share * added_bytes for share in SHARE)
        sizes = {
            holder: size
            for holder, parts in held.items()
            if least <= (size := sum(parts.values())) <= most and len(parts) >= SEARCHED_STEPS - 2
        }
        if not sizes:
            return None
        text, holds_graphs = max(sizes, key=lambda each: (sizes[each], -len(each[0])))
        function, _, name = text.rpartition(LOCAL)
        return GrowthHolder(name.partition("[…")[0], function or None, holds_graphs)

    def _walk(self) -> Walk:
        walk = _LimitedWalk(self._torch, self._notebook.stops())
        walk.graphs.most_nodes = MOST_NODES
        notebook = self._notebook
        with contextlib.suppress(TimeoutError):  # what was found until then may be enough
            walk.search("variable", notebook.variables())
            walk.search("variable", notebook.running_locals())
            walk.search("history", [(each.name, each.content) for each in notebook.history()])
        return walk


class _LimitedWalk(Walk):
    """A search that ends by an error after a while.

    It enters the graphs of the newest tensors first: of a list of thousands, only those were added.
    """

    def __init__(self, torch: Any, stops: list[Any]) -> None:
        super().__init__(torch, stops)
        self._until = time.thread_time() + LIMIT_SECONDS

    def _meet(self, values: list[Any], group: list[int], origin: int) -> None:
        if time.thread_time() > self._until:
            raise TimeoutError
        super()._meet(values, group, origin)

    def _enter_graphs(self) -> None:
        self._graph_starts.sort(key=lambda start: -self.graphs.number(start[1]))
        super()._enter_graphs()


def _holders(walk: Walk, names: Names, place: int) -> Iterator[tuple[str, bool]]:
    """Yield the names of all that hold a tensor, alike for all members of a list, and whether its graph does."""
    holds_graphs = False
    while place in walk.kept_by_graph and (parent := walk.parent_of(place)) != NO_PARENT:
        place, holds_graphs = parent, True
    holding = names.holding(place)
    if holding.kind not in REPLACED and (holding.kind != "other"):
        for each in holding.holders:
            text = NUMBERS.sub("…", each.removesuffix(GRAPH))
            yield REPEATED.sub(r"\1", text), holds_graphs
