"""Contents of real files with something changed: what a torn disk, another version or another hand may leave."""

from __future__ import annotations

import copy
from typing import Any, Final

from hypothesis import strategies as st

ODD_TEXTS: Final = (
    "",
    "\0",
    "\ud800",
    "../..",
    "a" * 5000,
    "nan",
    "REPLAY-0-x",
    "no_permission",
    "ok",
)
ODD_NUMBERS: Final = (0, -1, 10**19, -(10**400), 1e308, 5e-324, float("nan"), float("-inf"), True)

SCALARS: Final = st.one_of(
    st.none(),
    st.sampled_from(ODD_NUMBERS),
    st.sampled_from(ODD_TEXTS),
    st.integers(-5, 100_000),
    st.floats(),
    st.text(max_size=5),
)
VALUES: Final = st.one_of(
    SCALARS,
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.text(max_size=3), SCALARS, max_size=2),
)


@st.composite
def mutated_values(draw: st.DrawFn, whole: Any) -> Any:
    """Return plain data with one to three values replaced, removed or doubled, at any depth."""
    changed = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, changed)
    return changed


def _change(draw: st.DrawFn, place: Any) -> None:
    while place:
        key = draw(st.sampled_from([*place] if isinstance(place, dict) else range(len(place))))
        inner, going = place[key], draw(st.integers(0, 3))
        if isinstance(inner, dict | list) and inner and going:
            place = inner
            continue
        kind = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if kind == "replace":
            place[key] = draw(VALUES)
        elif kind == "remove":
            del place[key]
        elif isinstance(place, dict):
            place[draw(st.sampled_from(ODD_TEXTS)) + str(key)] = inner
        else:
            place.insert(key, inner)
        return


@st.composite
def mutated_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return bytes that are cut, or of which some were changed, removed, added or repeated."""
    changed = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(changed)))
        length = draw(st.sampled_from([1, 1, 2, 8, 200, 1 << 30]))
        kind = draw(st.sampled_from(["flip", "remove", "insert", "repeat"]))
        if kind == "flip":
            bits = draw(st.integers(1, 255))
            changed[place : place + 1] = bytes(each ^ bits for each in changed[place : place + 1])
        elif kind == "remove":
            del changed[place : place + length]
        elif kind == "insert":
            changed[place:place] = draw(st.binary(min_size=1, max_size=12))
        else:
            changed[place:place] = changed[place : place + min(length, 200)] * 3
    return bytes(changed)
