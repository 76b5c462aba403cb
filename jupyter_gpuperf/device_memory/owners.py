"""Add up memory by owner; each storage counts once, and names every holder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from jupyter_gpuperf.device_memory.naming import Holding, Names
from jupyter_gpuperf.device_memory.storages import Storage
from jupyter_gpuperf.device_memory.walk import Walk
from jupyter_gpuperf.schemas.memory import MemoryOwner

RANK: Final = (
    *("parameter", "gradient", "optimizer", "buffer", "batch", "variable", "activation"),
    *("exception", "history", "other"),
)
"""The kind of a storage with several holders: the first of these."""
MOST_HOLDERS: Final = 16


def owners_of(
    walk: Walk, names: Names, device: str, size_of: Callable[[Storage], int]
) -> list[MemoryOwner]:
    """Return the owners of a device's storages, the largest first."""
    found: dict[int, tuple[Storage, list[tuple[Any, ...]]]] = {}
    for index in walk.tensors:
        walk.pace.pause()
        for storage in walk.parts_of(index):
            if storage.device == device:
                holding = names.holding(index)
                is_view = walk.storages.is_view(walk.objects[index], storage)
                entry = (RANK.index(holding.kind), is_view, index, holding)
                found.setdefault(storage.address, (storage, []))[1].append(entry)
    owned: dict[tuple[str, str], OwnerSum] = {}
    for storage, entries in found.values():
        entries.sort(key=lambda each: each[:3])
        main = entries[0][-1]
        owner = owned.setdefault((main.kind, main.owner), OwnerSum())
        owner.add(size_of(storage), ((each[-1], each[1]) for each in entries))
    return sorted(rows_of(owned), key=lambda each: -each.bytes)


def rows_of(owned: dict[tuple[str, str], OwnerSum]) -> list[MemoryOwner]:
    """Return kinds and names of owners with their sums as rows."""
    return [
        MemoryOwner(kind=kind, name=name, bytes=each.bytes, holders=each.holders())
        for (kind, name), each in owned.items()
    ]


class OwnerSum:
    """What an owner has, and by which names."""

    def __init__(self) -> None:
        self.bytes = 0
        self._by_holder: dict[str, int] = {}

    def add(self, size_bytes: int, holdings: Iterable[tuple[Holding, bool]]) -> None:
        """Add a storage with its holders, and whether each is a view."""
        self.bytes += size_bytes
        for holding, is_view in holdings:
            for name in holding.holders:
                shown = f"{name} (view)" if is_view else name
                self._by_holder[shown] = self._by_holder.get(shown, 0) + size_bytes

    def holders(self) -> list[str]:
        """Return the names, those of the most memory first."""
        by_size = sorted(
            self._by_holder.items(), key=lambda each: (-each[1], len(each[0]), each[0])
        )
        return [name for name, _ in by_size[:MOST_HOLDERS]]
