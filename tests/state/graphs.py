"""Graphs of objects as programs have them, changes to them, and a picture with every identity in it."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn


@dataclasses.dataclass
class Record:
    first: Any
    second: Any = None


class Slotted:
    __slots__ = ("first", "second")

    def __init__(self, first):
        self.first = first


class Named(NamedTuple):
    first: Any
    second: Any


def closure(content):
    def get():
        return content

    def put(new):
        nonlocal content
        content = new

    get.put = put
    return get


def uses_a_global(content):
    return types.FunctionType(
        compile("held", "<code>", "eval"), {"held": content, "__name__": "__main__"}
    )


def of_a_class(content):
    return type("Made", (), {"held": content, "__module__": "__main__"})


LEAVES: tuple[Callable[[], Any], ...] = (
    lambda: torch.arange(6.0),
    lambda: torch.ones(2, 3, requires_grad=True),
    lambda: torch.zeros(2, dtype=torch.int64),
    lambda: nn.Linear(2, 2),
    lambda: np.arange(6.0),
    lambda: np.array([[1], None], dtype=object),
    lambda: np.random.default_rng(1),
    lambda: torch.Generator().manual_seed(1),
    lambda: bytearray(b"abc"),
    lambda: {1, "a"},
    lambda: 7,
    lambda: "words",
)
NODES: tuple[Callable[[Any, Any], Any], ...] = (
    lambda one, other: [one, other],
    lambda one, other: {"a": one, 2: other},
    lambda one, other: collections.OrderedDict(a=one, b=other),
    lambda one, other: collections.defaultdict(list, a=one, b=other),
    lambda one, other: collections.deque([one, other], maxlen=3),
    lambda one, other: (one, other),
    lambda one, other: Named(one, other),
    lambda one, other: Record(one, other),
    lambda one, other: types.SimpleNamespace(a=one, b=other),
    lambda one, other: Slotted(one),
    lambda one, other: closure(one),
    lambda one, other: uses_a_global(one),
    lambda one, other: of_a_class(one),
    lambda one, other: view_of(one),
)


RICH = [(kind, kind, kind + 1) for kind in range(len(LEAVES) + len(NODES))]
"""One object of each kind."""


def view_of(value):
    """A view of the memory of an array or a tensor; of anything else, a list."""
    if isinstance(value, torch.Tensor):
        return value.detach().reshape(-1)[1:]
    if isinstance(value, np.ndarray):
        return value.reshape(-1)[::2]
    return [value]


def graph(recipe) -> list[Any]:
    """Return objects, each made of earlier ones: ``recipe`` has a kind and two places for each."""
    made: list[Any] = []
    for kind, one, other in recipe:
        if not made or kind < len(LEAVES):
            made.append(LEAVES[kind % len(LEAVES)]())
        else:
            made.append(NODES[kind - len(LEAVES)](made[one % len(made)], made[other % len(made)]))
    return made


def doubled(value, other):
    if value.dtype == object:
        value[0] = other
    elif isinstance(value, np.ndarray):
        value *= 2
    else:
        value.detach().add_(1)


def replaced(value, other):
    if value.is_leaf:
        value.data = torch.zeros(3)


def frozen(value, other):
    value.requires_grad_(False)
    value.grad = torch.ones_like(value)


def trained(value, other):
    value(torch.ones(1, 2)).sum().backward()
    value.weight.data.add_(1)


def rebuilt(value, other):
    value.extra, value.bias = nn.Linear(1, 1), None


def rebound(value, other):
    if hasattr(value, "put"):
        value.put(other)
    else:
        value.__globals__["held"] = other


CHANGES = (
    (torch.Tensor, doubled, replaced, frozen),
    (np.ndarray, doubled, doubled, doubled),
    (nn.Module, trained, rebuilt, lambda it, other: it.eval().half().requires_grad_(False)),
    (np.random.Generator, *[lambda it, other: it.normal(size=3)] * 3),
    (torch.Generator, *[lambda it, other: torch.rand(2, generator=it)] * 3),
    (
        bytearray,
        lambda it, other: it.append(1),
        lambda it, other: it.clear(),
        lambda it, other: it.reverse(),
    ),
    (
        set,
        lambda it, other: it.add(id(other)),
        lambda it, other: it.clear(),
        lambda it, other: it.pop(),
    ),
    (
        list,
        lambda it, other: it.append(other),
        lambda it, other: (it.reverse(), it.pop()),
        lambda it, other: it.extend([[other], torch.ones(2)]),
    ),
    (
        collections.deque,
        lambda it, other: it.append(other),
        lambda it, other: it.pop(),
        lambda it, other: it.rotate(),
    ),
    (
        dict,
        lambda it, other: it.update(new=other),
        lambda it, other: it.popitem(),
        lambda it, other: it.update({next(iter(it)): it.pop(next(iter(it)))}),
    ),
    (
        (Record, types.SimpleNamespace),
        lambda it, other: setattr(it, "first", other),
        lambda it, other: vars(it).clear(),
        lambda it, other: setattr(it, "__dict__", {"first": other}),
    ),
    (
        Slotted,
        lambda it, other: setattr(it, "first", other),
        lambda it, other: delattr(it, "first"),
        lambda it, other: setattr(it, "second", [other]),
    ),
    (
        types.FunctionType,
        rebound,
        lambda it, other: it.__globals__.pop("held"),
        lambda it, other: setattr(it, "note", other),
    ),
    (
        type,
        lambda it, other: setattr(it, "held", other),
        lambda it, other: delattr(it, "held"),
        lambda it, other: setattr(it, "fresh", other),
    ),
)
"""Kind of object → changes of what it contains, what it is, and how it is ordered or extended."""


def change(made, names, changes):
    """Apply changes; some have nothing left to change after others."""
    for number, one, other in changes:
        value, content = made[one % len(made)], made[other % len(made)]
        if number == 3:
            names[f"name{one % len(made)}"] = names[f"new{other}"] = content
            continue
        for kind, *functions in CHANGES:
            if isinstance(value, kind):
                with contextlib.suppress(Exception):
                    functions[number](value, content)
                break


class Picture:
    """How all objects of a graph look, each with the identities of what it holds."""

    def __init__(self, made, names) -> None:
        self._held: list[Any] = []  # so that no identity is given away to another object
        self._looks = [(id(each), type(each), self._of(each)) for each in made]
        self._looks.append(self._ids(names))

    def difference(self, before):
        return [pair for pair in zip(self._looks, before._looks, strict=True) if pair[0] != pair[1]]

    def _ids(self, held):
        pairs = isinstance(held, dict)
        members = [each for pair in held.items() for each in pair] if pairs else [*held]
        self._held += members
        return [id(each) for each in members]

    def _of(self, value):
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray):
            place = value.__array_interface__["data"], value.shape, value.dtype
            held = value.tolist() if value.dtype == object else ()
            return place, self._ids(held), value.tobytes()
        if isinstance(value, nn.Module):
            held = {**value._parameters, **value._modules}
            return value.training, self._ids(held), [*map(self._tensor, value.parameters())]
        if isinstance(value, (dict, list, tuple, collections.deque)):
            return self._ids(value)
        if isinstance(value, types.FunctionType):
            cells = [each.cell_contents for each in value.__closure__ or ()]
            return self._ids([value.__globals__.get("held"), *cells]), self._ids(vars(value))
        return self._of_other(value)

    def _of_other(self, value):
        if isinstance(value, np.random.Generator):
            return repr(value.bit_generator.state)
        if isinstance(value, torch.Generator):
            return value.get_state().tolist()
        if isinstance(value, Slotted):
            return self._ids([getattr(value, name, None) for name in ("first", "second")])
        if isinstance(value, type):
            return self._ids([vars(value).get("held")]), sorted(vars(value))
        if isinstance(value, (Record, types.SimpleNamespace)):
            return id(vars(value)), self._ids(vars(value))
        # Python promises no order of a set's members.
        return sorted(map(repr, value)) if isinstance(value, set) else repr(value)

    def _tensor(self, value):
        gradient = value.grad if value.is_leaf else None
        content = value.detach().clone().contiguous().numpy().tobytes()
        place = value.data_ptr(), value.shape, value.stride(), value.dtype, value.requires_grad
        return *place, content, None if gradient is None else gradient.tolist()
