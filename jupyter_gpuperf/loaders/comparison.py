"""Check that two loaders differ only in their settings, without advancing either of them.

torch's own samplers are copied, and up to a thousand of their indices are compared. Other samplers may keep state or
work only once: no indices are drawn from them; only their attributes are compared. Standard library only at module
level.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from types import FunctionType, MethodType
from typing import Any, Final

from jupyter_gpuperf.loaders.randomness import random_state_restored
from jupyter_gpuperf.loaders.samplers import copy_sampler, with_nested_samplers
from jupyter_gpuperf.loaders.setting import WORKER_ARGUMENTS
from jupyter_gpuperf.messages import Message

BY_IDENTITY: Final[Any] = object.__eq__
MOST_INDICES: Final = 1000
BATCHING: Final = frozenset({"batch_size", "batch_sampler", "sampler"})
DATA: Final = ("dataset", "sampler", "batch_sampler")
LENGTH_CALLED: Final = "_IterableDataset_len_called"
TORCHS_STATE: Final = frozenset(
    {"_iterator", LENGTH_CALLED, "_DataLoader__multiprocessing_context", "__orig_class__"}
)
"""Attributes of a DataLoader that change with its use, or that are compared under another name."""


def difference(own: Any, made: Any, changes: Mapping[str, Any], *, draws: bool = True) -> str:
    """Return, in words, how ``made`` differs from ``own`` apart from the changes; empty if it does not.

    Parameters
    ----------
    changes
        DataLoader arguments that should differ. The value ``None`` leaves an argument to torch.
    draws
        Whether to draw and compare indices.
    """
    if type(made) is not type(own):
        return Message("its class would be {type}", type=type(made).__name__)
    used = [name for name in changes if made.num_workers or name not in WORKER_ARGUMENTS]
    for name in used:
        if changes[name] is not None and not alike(changes[name], value := _setting(made, name)):
            return Message("its {name} would be {value}", name=name, value=value)
    rebatched = not BATCHING.isdisjoint(changes)
    skipped = {*changes, *TORCHS_STATE, *(BATCHING if rebatched else ())}
    if not own.num_workers or not made.num_workers:
        skipped.update(WORKER_ARGUMENTS)
    for name in {**_attributes(own), **_attributes(made), "multiprocessing_context": None}:
        if name not in skipped and not _same_part(own, made, name):
            return Message("its {name} would differ", name=name)
    new, old = length_of(made), length_of(own)
    if not rebatched and new != old:
        return Message("its length would be {new}, not {old}", new=new, old=old)
    is_same = not draws or same_indices(own, made) is not False
    return "" if is_same else Message("its indices would differ")


def _setting(made: Any, name: str) -> Any:
    value = getattr(made, name, None)
    return value.get_start_method() if name == "multiprocessing_context" and value else value


def _same_part(own: Any, made: Any, name: str) -> bool:
    old, new = getattr(own, name, None), getattr(made, name, None)
    if name not in DATA and hasattr(old, "__next__") and hasattr(new, "__next__"):
        return True  # an iterator's position is not part of a loader
    return alike(old, new, frozenset({id(own)}))  # two loaders' bound methods are equal


def same_indices(own: Any, made: Any) -> bool | None:
    """Return whether both loaders draw the same indices from the same random state; ``None`` if they can't be drawn."""
    samplers = own._index_sampler, made._index_sampler
    if samplers[0] is samplers[1]:
        return True
    if not all(
        is_torch_sampler(each) for sampler in samplers for each in with_nested_samplers(sampler)
    ):
        return None
    drawn = []
    for loader in (own, made):
        with random_state_restored():
            sampler = copy_sampler(loader._index_sampler, loader.dataset, {})
            rows = (each if isinstance(each, (list, tuple)) else [each] for each in sampler)
            drawn.append(list(itertools.islice(itertools.chain.from_iterable(rows), MOST_INDICES)))
    # With another batch size, drop_last may drop more indices at the end.
    return all(one == other for one, other in zip(*drawn, strict=False))


def is_torch_sampler(sampler: Any) -> bool:
    """Return whether a sampler is torch's own or a plain sequence of indices, whose copies have no side effects."""
    kind = type(sampler)
    return kind in (list, tuple, range) or kind.__module__.startswith("torch.utils.data")


def alike(one: Any, other: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Return whether two objects are the same, or consist of equal parts."""
    if one is other or id(one) in seen:
        return True
    if type(one) is not type(other) or hasattr(one, "__next__"):
        return False
    within = seen | {id(one)}
    if isinstance(one, MethodType):
        return one.__func__ is other.__func__ and alike(one.__self__, other.__self__, within)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(
            alike(*pair, within) for pair in zip(one, other, strict=True)
        )
    parts, others = _parts(one), _parts(other)
    if not parts:
        try:
            return bool(one == other) or (parts == {} and type(one).__eq__ is BY_IDENTITY)
        except Exception:  # the user's own code, or a tensor with several values  # noqa: BLE001
            return False
    return parts.keys() == others.keys() and all(
        alike(parts[name], others[name], within) for name in parts
    )


def _parts(value: Any) -> Any:
    """Return what an object consists of, by name; ``None`` if that can't be seen."""
    if isinstance(value, dict):
        return value
    parts = _attributes(value)
    if isinstance(value, functools.partial):
        return {**parts, "func": value.func, "args": value.args, "keywords": value.keywords}
    if isinstance(value, FunctionType):
        names = ("__code__", "__defaults__", "__kwdefaults__")
        cells = [each.cell_contents for each in value.__closure__ or ()]
        return {**parts, **{name: getattr(value, name) for name in names}, "cells": cells}
    return parts if hasattr(value, "__dict__") else None


def _attributes(value: Any) -> dict[str, Any]:
    """Return an object's own attributes, those in slots included."""
    slots: Iterable[Any] = (getattr(kind, "__slots__", ()) for kind in type(value).__mro__)
    names = {
        name: getattr(value, name) for each in slots for name in each if hasattr(value, str(name))
    }
    return {**names, **getattr(value, "__dict__", {})}


def length_of(value: Any) -> int | None:
    """Return the length of a value; ``None`` if it has none."""
    called = getattr(value, LENGTH_CALLED, None)
    try:
        return len(value)
    except Exception:  # the user's own code, or a stream without a length  # noqa: BLE001
        return None
    finally:
        if getattr(value, LENGTH_CALLED, None) is not called:  # torch would warn of other lengths
            setattr(value, LENGTH_CALLED, called)
