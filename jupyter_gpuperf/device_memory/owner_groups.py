"""Put the activations of all layers that the same names keep alive together: one list of losses holds hundreds of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import MemoryOwner

GROUPED: Final = "activation"
VIEW: Final = " (view)"
INDEX: Final = re.compile(r"\[[^\[\]]*\]")


def grouped(owners: Iterable[MemoryOwner]) -> list[MemoryOwner]:
    """Return the owners, the largest first, with one for all activations that the same name keeps alive.

    Its name is the module that all of them belong to. Names that differ in an index alone are one: ``losses[…] → graph``.
    What else keeps some of them, such as the last exception, follows among its holders.
    """
    groups: dict[str, list[MemoryOwner]] = {}
    found = []
    for each in owners:
        if each.kind == GROUPED:
            groups.setdefault(_plain(next(iter(each.holders), "")), []).append(each)
        else:
            found.append(each)
    found += [_one(members) for members in groups.values()]
    return sorted(found, key=lambda each: -each.bytes)


def _one(members: Sequence[MemoryOwner]) -> MemoryOwner:
    first = members[0]
    if len(members) == 1:
        return first
    module = _common([each.name.split(".") for each in members])
    text = "{count} layers of {module}" if module else "{count} layers"
    holders = dict.fromkeys(name for each in members for name in each.holders)
    return replace(
        first,
        name=Message(text, count=len(members), module=module),
        bytes=sum(each.bytes for each in members),
        holders=_collapsed(list(holders)),
    )


def _common(paths: Sequence[Sequence[str]]) -> str:
    parts = []
    for several in zip(*paths, strict=False):
        if len(set(several)) > 1:
            break
        parts.append(several[0])
    return ".".join(parts)


def _collapsed(names: Sequence[str]) -> list[str]:
    """Return the names, with one for all that differ in an index alone."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_plain(name), []).append(name)
    return [names[0] if len(names) == 1 else text for text, names in alike.items()]


def _plain(name: str) -> str:
    """Return a name without the indices, and without the remark that it is a view."""
    return INDEX.sub("[…]", name).removesuffix(VIEW)
