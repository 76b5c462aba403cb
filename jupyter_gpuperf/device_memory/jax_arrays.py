"""JAX's arrays, where the notebook has loaded JAX; it is never imported or started here."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jupyter_gpuperf.device_memory.naming import Holding, Names
from jupyter_gpuperf.device_memory.owners import OwnerSum, rows_of
from jupyter_gpuperf.device_memory.walk import Walk
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.memory import MemoryOwner

NAMELESS: Final = Holding("other", "jax.Array", ("jax.Array",))
BY_NAME: Final = ("variable", "history", "exception")


def jax_is_used() -> bool:
    """Return whether JAX has arrays."""
    return next(_arrays(), None) is not None


def fullest_jax_device() -> str | None:
    """Return the device, other than the CPU, on which JAX has the most; ``None`` if there is none."""
    sizes: Counter[str] = Counter()
    for _, parts in _arrays():
        sizes.update({name: int(size) for name, size, _ in parts if name != "cpu"})
    return max(sizes, key=sizes.__getitem__, default=None)


def jax_owners(walk: Walk, names: Names, device: str) -> list[MemoryOwner]:
    """Return the owners of JAX's memory on a device."""
    owned: dict[tuple[str, str], OwnerSum] = {}
    stats: Mapping[str, Any] = {}
    total = 0
    for array, parts in _arrays():
        here = [(size, each) for name, size, each in parts if name == device]
        if size := int(sum(each for each, _ in here)):
            place = walk.place_of(id(array))
            holding = NAMELESS if place is None else names.holding(place)
            if holding.kind not in BY_NAME:
                holding = NAMELESS
            owned.setdefault(holding[:2], OwnerSum()).add(size, [(holding, False)])
            stats = stats or _stats(here[0][1])
            total += size
    rows = rows_of(owned)
    in_use, pool = (int(stats.get(name) or 0) for name in ("bytes_in_use", "pool_bytes"))
    for kind, text, size in (
        ("workspace", Message("buffers of JAX's programs"), in_use - total),
        ("cache", Message("unused, kept by JAX"), pool - max(in_use, total)),
    ):
        if size > 0:
            rows.append(MemoryOwner(kind=kind, name=text, bytes=size, holders=[]))
    return rows


def _arrays() -> Iterator[tuple[Any, list[tuple[str, float, Any]]]]:
    """Yield JAX's live arrays, each with its devices: their names, the bytes there, and JAX's object."""
    jax: Any = sys.modules.get("jax")
    bridge = sys.modules.get("jax._src.xla_bridge")
    if not hasattr(jax, "live_arrays"):
        return
    # For a platform that is not in use, live_arrays() would start it.
    platforms = [None] if bridge is None else list(getattr(bridge, "_backends", ()))
    for platform in platforms:
        arrays: list[Any] = []
        with contextlib.suppress(Exception):  # another version of JAX
            arrays = list(jax.live_arrays() if platform is None else jax.live_arrays(platform))
        yield from ((each, _parts(each)) for each in arrays)


def _parts(array: Any) -> list[tuple[str, float, Any]]:
    try:
        return [
            (_name(each.device), float(each.data.nbytes), each.device)
            for each in array.addressable_shards
        ]
    except Exception:  # deleted, such as a donated argument  # noqa: BLE001
        return []


def _name(device: Any) -> str:
    """Return a device's name as torch has it."""
    if device.platform == "cpu":
        return "cpu"
    platform = "cuda" if device.platform == "gpu" else device.platform
    return f"{platform}:{device.id}"


def _stats(device: Any) -> Mapping[str, Any]:
    try:
        return device.memory_stats() or {}
    except Exception:  # not on every platform  # noqa: BLE001
        return {}
