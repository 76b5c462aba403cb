"""How much memory comes free when places of the notebook are cleared, and clear them."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from jupyter_gpuperf.device_memory.allocator import read_allocator
from jupyter_gpuperf.device_memory.graphs import is_node
from jupyter_gpuperf.device_memory.notebook import Notebook, Slot
from jupyter_gpuperf.device_memory.report import size_of
from jupyter_gpuperf.device_memory.undisturbed import undisturbed
from jupyter_gpuperf.device_memory.walk import Walk


def promised_bytes(
    torch: Any,
    notebook: Notebook,
    slots: Sequence[Slot],
    device: Any,
    in_use: Sequence[object] = (),
) -> float:
    """Return the bytes that only the slots keep alive.

    What is also found from other names stays, and so does an object with more references than those found, such as one
    that a running function uses.

    Parameters
    ----------
    in_use
        Objects that are in use only for now, so that it does not matter what else refers to them.
    """
    with undisturbed(torch):
        return float(sum(_freed(torch, notebook, slots, device, in_use).values()))


def _freed(
    torch: Any,
    notebook: Notebook,
    slots: Sequence[Slot],
    device: Any,
    in_use: Sequence[object],
) -> dict[int, int]:
    """Return the addresses and sizes of the storages that come free."""
    state = read_allocator(torch, device)
    cleared = {each[:2] for each in slots}
    walk = Walk(torch, notebook.stops())
    names = {name for kind, name in cleared if kind == "variable"}
    walk.search("variable", (each for each in notebook.variables() if each[0] not in names))
    others = (*notebook.history(), *notebook.exceptions())
    walk.search("history", [each[1:3] for each in others if each[:2] not in cleared])
    del others
    first, first_tensor = len(walk.objects), len(walk.tensors)
    walk.search("history", [each[1:3] for each in slots])
    ignored = set(map(id, in_use))
    elsewhere = [each for each in _kept_elsewhere(walk, first, slots) if id(each) not in ignored]
    stays = Walk(torch, [*notebook.stops(), *walk.objects[:first]])
    stays.search("other", (("", each) for each in elsewhere))
    read = walk.storages.read
    unseen = [each for each in walk.storages.live_tensors() if walk.place_of(id(each)) is None]
    viewed = _only_viewed(walk, first_tensor, unseen)
    kept = {part.address for each in unseen if id(each) not in viewed for part in read(each)}
    kept |= {part.address for part in (*walk.parts(last=first_tensor), *stays.parts())}
    return {
        each.address: size_of(each, state)
        for each in walk.parts(first_tensor)
        if each.device == str(device) and each.address not in kept
    }


def _only_viewed(walk: Walk, first: int, unseen: Sequence[Any]) -> set[int]:
    """Return the identities of unseen tensors that exist only because tensors found from ``first`` on are views of them."""
    storages = walk.storages
    bases = {id(storages.base(walk.objects[place])) for place in walk.tensors[first:]}
    return {
        id(each)
        for each in unseen
        if id(each) in bases
        and sys.getrefcount(each) - OWN_REFERENCES <= storages.is_held_by_torch(each)
    }


def _kept_elsewhere(walk: Walk, first: int, slots: Sequence[Slot]) -> list[Any]:
    """Return the objects found from ``first`` on to which something else refers, too."""
    new = range(first, len(walk.objects))
    places: Counter[int | None] = Counter()
    for index in new:
        places.update(walk.place_of(id(each)) for each in gc.get_referents(walk.objects[index]))
    # A slot's tuple is one of our own references to its value, beside the slot itself.
    places.update(walk.place_of(id(each.value)) for each in (*slots, *slots))
    kept = []
    for place in new:
        value = walk.objects[place]
        if is_node(walk.torch, type(value)):  # the search itself keeps nodes
            continue
        held_by_torch = place in walk.kept_by_graph
        if issubclass(type(value), walk.storages.tensor):
            held_by_torch = walk.storages.is_held_by_torch(value)
        if sys.getrefcount(value) - OWN_REFERENCES > places[place] + held_by_torch:
            kept.append(value)
    return kept


def _own_references() -> int:
    """Return the references of a search to an object, in this version of Python: the list, the name and the call."""
    objects = [object()]
    value = objects[0]
    return sys.getrefcount(value)


OWN_REFERENCES: Final = _own_references()


def held_bytes(torch: Any, device: Any) -> float:
    """Return the bytes of all tensors on a device: by the allocator's count or, on a CPU, of those that can be found."""
    if device.type == "cuda":
        return float(torch.cuda.memory_allocated(device))
    with undisturbed(torch):
        walk = Walk(torch)
        walk.search("other", [("", each) for each in walk.storages.live_tensors()])
        parts = list(walk.parts())
    return float(sum({p.address: p.bytes for p in parts if p.device == str(device)}.values()))
