"""Two loaders are equal if all their parts are."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest
from kinds import (
    Stateful,
)
from printing import DATA, begin, having, keep
from torch.utils.data import (
    DataLoader,
)

from jupyter_gpuperf.loaders.comparison import alike, difference


def scaled(factor, *, power=1):
    return lambda items: [factor * each**power for each in items]


ALIKE = {
    "functions": (scaled(2), scaled(2), True),
    "of other closures": (scaled(2), scaled(3), False),
    "partials": (functools.partial(keep, items=1), functools.partial(keep, items=1), True),
    "of other arguments": (functools.partial(keep, items=1), functools.partial(keep, 1), False),
    "of other functions": (functools.partial(keep), functools.partial(begin), False),
    "objects": (SimpleNamespace(a=[1]), SimpleNamespace(a=[1]), True),
    "of other parts": (SimpleNamespace(a=[1]), SimpleNamespace(a=[2]), False),
    "iterators": (iter([1]), iter([1]), False),
}


@pytest.mark.parametrize(("one", "other", "expected"), ALIKE.values(), ids=ALIKE)
def test_objects_are_alike_if_all_they_hold_is(one, other, expected):
    assert alike(one, other) is expected


def test_parts_in_slots_count_too():
    class Slotted(Stateful):
        __slots__ = ("limit",)

    one, other = (having(Slotted(DATA, batch_size=20), "limit", each) for each in (1, 2))
    assert "limit" in difference(one, other, {})


def test_other_indices_are_a_difference():
    own = DataLoader(DATA, batch_size=20)
    assert "sampler" in difference(own, DataLoader(DATA, batch_size=20, shuffle=True), {})
    assert "batch_size" in difference(own, DataLoader(DATA, batch_size=10), {})
    assert "class" in difference(own, Stateful(DATA, batch_size=20), {})
    assert "dataset" in difference(own, DataLoader(range(400), batch_size=20), {})
