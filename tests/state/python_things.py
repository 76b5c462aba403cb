"""Python's own objects that code changes."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import gc
import types
import weakref
from types import SimpleNamespace

from things import Counter, Thing
from torch import nn


class Recent(collections.OrderedDict):
    """A cache of the kind that Python's manual shows."""

    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)


class Slots:
    __slots__ = ("__secret", "items", "later")

    def __init__(self):
        self.items, self.__secret = [1], 1

    def change(self):
        self.items.append(2)
        self.later, self.__secret = 3, 2

    def look(self):
        return list(self.items), hasattr(self, "later"), self.__secret


class StandsFor:
    """An object that claims another's class, as proxies and mocks do."""

    def __init__(self, other):
        self.other = other

    @property
    def __class__(self):
        return type(self.other)


@dataclasses.dataclass(frozen=True)
class Frozen:
    items: list = dataclasses.field(default_factory=list)


class Phase(enum.Enum):
    ONE = 1
    TWO = 2

    def __init__(self, number):
        self.calls = []


class Counting(type):
    """A class of classes."""

    made = 0


class Counted(metaclass=Counting):
    """A class that its own class counts."""


class OfAClass:
    calls, seen = 0, []

    def __call__(self):
        return 1


class Another:
    """Takes the place of a class."""


class AsAttributes(dict):
    def __init__(self, **items):
        super().__init__(**items)
        self.__dict__ = self


class Lazily:
    @functools.cached_property
    def found(self):
        return [1]


Pair = collections.namedtuple("Pair", "left right")


KEPT = Counter()


KEY = Another()


OTHER_KEY = Another()


def a_cached(cache):
    made = cache(lambda: nn.Linear(2, 2))
    made()
    return made


PYTHON_THINGS = {
    "a default factory": Thing(
        lambda: collections.defaultdict(list, a=[1]),
        lambda it: (setattr(it, "default_factory", int), it["z"], it["a"].append(2)),
        lambda it: (it.default_factory, repr(dict(it))),
    ),
    "a dictionary that reorders itself": Thing(
        lambda: Recent(a=[1], b=[2]),
        lambda it: it["a"].append(3),
        lambda it: repr([*it.items()]),
    ),
    "linked dictionaries": Thing(
        lambda: collections.ChainMap({}, {"a": 1}),
        lambda it: it.update(b=1),
        lambda it: repr(it.maps),
    ),
    "a user's dictionary": Thing(
        lambda: collections.UserDict(a=[1]), lambda it: it["a"].append(2), lambda it: repr(it.data)
    ),
    "a read-only view": Thing(
        lambda: types.MappingProxyType({"a": [1]}), lambda it: it["a"].append(2), repr
    ),
    "a dictionary's values": Thing(
        lambda: {"a": [1]}.values(), lambda it: next(iter(it)).append(2), repr
    ),
    "an iterator of a list": Thing(
        lambda: iter([1] * 10_000), next, lambda it: it.__length_hint__()
    ),
    "an iterator of a range": Thing(
        lambda: iter(range(10_000)), next, lambda it: it.__length_hint__()
    ),
    "iterators in step": Thing(
        lambda: zip([1] * 10_000, iter(range(10_000)), strict=False),
        next,
        lambda it: [each.__length_hint__() for each in gc.get_referents(it)[0]],
    ),
    "slots": Thing(Slots, Slots.change, Slots.look),
    "a pair of containers": Thing(
        lambda: Pair([1], {}), lambda it: (it.left.append(2), it.right.update(a=1)), repr
    ),
    "a frozen object": Thing(
        Frozen,
        lambda it: (it.items.append(1), object.__setattr__(it, "items", [*it.items, 2])),
        repr,
    ),
    "a member of an enumeration": Thing(
        lambda: Phase.ONE,
        lambda it: (it.calls.append(1), setattr(Phase.TWO, "fresh", 1)),
        lambda it: (list(it.calls), hasattr(Phase.TWO, "fresh")),
    ),
    "a class": Thing(
        lambda: OfAClass,
        lambda it: (setattr(it, "calls", it.calls + 1), it.seen.append(1), setattr(it, "x", 1)),
        lambda it: (it.calls, list(it.seen), hasattr(it, "x")),
    ),
    "a class of a class": Thing(
        lambda: Counted,
        lambda it: setattr(Counting, "made", Counting.made + 1),
        lambda it: it.made,
    ),
    "a special method": Thing(
        OfAClass,
        lambda it: (
            setattr(OfAClass, "__call__", lambda self: 2),
            setattr(OfAClass, "__len__", lambda self: 2),
        ),
        lambda it: (it(), hasattr(it, "__len__")),
    ),
    "an object's class": Thing(
        OfAClass, lambda it: setattr(it, "__class__", Another), lambda it: type(it)
    ),
    "an object's dictionary": Thing(
        OfAClass,
        lambda it: setattr(it, "__dict__", {"a": 1}),
        lambda it: repr(vars(it)),
    ),
    "the order of attributes": Thing(
        lambda: SimpleNamespace(a=1, b=2),
        lambda it: (delattr(it, "a"), setattr(it, "a", 1)),
        lambda it: [*vars(it)],
    ),
    "keys as attributes": Thing(
        lambda: AsAttributes(a=1), lambda it: (setattr(it, "b", 2), it.update(a=[3])), repr
    ),
    "an attribute that is made when used": Thing(
        Lazily, lambda it: it.found.append(2), lambda it: repr(vars(it))
    ),
    "a function's parts": Thing(
        lambda: lambda number=1, *, other=1: (number, other),
        lambda it: (setattr(it, "__defaults__", (2,)), it.__kwdefaults__.update(other=2)),
        lambda it: it(),
    ),
    "a function's code": Thing(
        lambda: lambda: 1, lambda it: setattr(it, "__code__", (lambda: 2).__code__), lambda it: it()
    ),
    "a cache without a limit": Thing(
        lambda: a_cached(functools.cache),
        lambda it: it().weight.data.add_(1),
        lambda it: (it.cache_info().currsize, it().weight.tolist()),
    ),
    "a model in a cache": Thing(
        lambda: a_cached(functools.lru_cache),
        lambda it: it().weight.data.add_(1),
        lambda it: it().weight.tolist(),
    ),
    "a weak reference": Thing(
        lambda: weakref.ref(KEPT), lambda it: it()(), lambda it: it().looks()
    ),
    "a weak proxy": Thing(
        lambda: weakref.proxy(KEPT),
        lambda it: setattr(it, "calls", it.calls + 1),
        lambda it: it.calls,
    ),
    "weak keys": Thing(
        lambda: weakref.WeakKeyDictionary({KEY: [1]}),
        lambda it: (it[KEY].append(2), it.update({OTHER_KEY: 1})),
        lambda it: (len(it), repr(it[KEY])),
    ),
    "a weak set": Thing(lambda: weakref.WeakSet([KEY]), lambda it: it.add(OTHER_KEY), len),
    "what stands for a list": Thing(
        lambda: StandsFor([1]), lambda it: it.other.append(2), lambda it: list(it.other)
    ),
    "what stands for a model": Thing(
        lambda: StandsFor(nn.Linear(1, 1)),
        lambda it: nn.init.constant_(it.other.weight, 7.0),
        lambda it: it.other.weight.item(),
    ),
}
