"""Tensors that no name reaches: in a cycle, in a running function, or held by code that the collector can't see."""

from __future__ import annotations

import gc
import types
from typing import Any, Final

from jupyter_gpuperf.device_memory.objects import loaded_modules, members_of, name_of_class
from jupyter_gpuperf.state.bindings import CONTAINERS

MOST_NAMED: Final = 16
"""Only the largest: each look for holders goes through all objects."""
MOST_LEVELS: Final = 6
PASSED: Final = frozenset(id(each) for each in (*CONTAINERS, types.CellType))
"""Types of holders whose own holder says more."""
CODE: Final = {
    types.FunctionType: "__code__",
    types.GeneratorType: "gi_code",
    types.CoroutineType: "cr_code",
}


def names_of_holders(values: list[Any], own: list[Any]) -> list[str]:
    """Return for each value the type of the object that holds it, and how: ``Node.payload``; empty if unknown.

    Parameters
    ----------
    own
        Objects that refer to the values for the sake of the search.
    """
    holders, before = list(values), list(values)
    suffixes, names = [""] * len(values), [""] * len(values)
    modules = {id(vars(each)): name for name, each in loaded_modules()}
    unnamed = set(range(min(len(values), MOST_NAMED)))
    for _ in range(MOST_LEVELS):
        places = {id(holders[i]): i for i in unnamed}
        excluded = {id(each) for each in (*own, values, holders, before)}
        for each in gc.get_referrers(*(holders[i] for i in unnamed)) if unnamed else ():
            if id(each) in excluded or issubclass(type(each), types.FrameType):
                continue
            for child in gc.get_referents(each):
                if (i := places.pop(id(child), None)) is None:
                    continue
                known = members_of(each)
                if id(each) in modules:
                    known = {id(one): f".{name}" for name, one in list(each.items())}
                is_written = known.get(id(child)) != ""
                label = known.get(id(child if is_written else before[i]), "")
                suffixes[i] = label + suffixes[i] if is_written else label
                before[i], holders[i] = child, each
                if id(each) in modules or id(type(each)) not in PASSED:
                    names[i] = f"{modules.get(id(each)) or _title(each)}{suffixes[i]}"
                    unnamed.discard(i)
    return names


def _title(holder: Any) -> str:
    for kind, name in CODE.items():
        if type(holder) is kind:
            return f"{getattr(holder, name).co_name}()"
    return name_of_class(holder if issubclass(type(holder), type) else type(holder))
