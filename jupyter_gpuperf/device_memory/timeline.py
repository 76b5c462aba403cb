"""Allocated memory by owner over time, from the allocator's trace; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.messages import Message

MOST_COLUMNS: Final = 240
MOST_OWNERS: Final = 9
"""All others are drawn as one."""
MADE, FREED = "alloc", "free_requested"
Owner = tuple[str, str]
BEFORE: Final[Owner] = ("before", Message("allocated before"))
ELSEWHERE: Final = Message("backward pass, or library code")


class Change(NamedTuple):
    """Memory that an owner got or, if negative, gave back."""

    seconds: float
    owner: Owner
    bytes: float


class Timeline(NamedTuple):
    """The states of all owners; see :class:`MemoryTimeline`."""

    times_seconds: list[float]
    owners: dict[Owner, list[float]]
    peak_column: int


def changes_in(
    trace: Sequence[Mapping[str, Any]],
    names: Mapping[int, Owner],
    place_of: Callable[[Sequence[Mapping[str, Any]]], str | None],
) -> list[Change]:
    """Return the changes in a trace, each with its owner.

    Parameters
    ----------
    names
        Address → owner, of memory in use at the end.
    place_of
        Returns the user's line in a stack, which stands for memory that was freed; ``None`` if there is none.
    """
    made: dict[int, int] = {}
    events = [each for each in trace if each["action"] in (MADE, FREED)]
    makers: list[int | None] = []
    for index, event in enumerate(events):
        if event["action"] == MADE:
            made[event["addr"]] = index
            makers.append(index)
        else:
            makers.append(made.pop(event["addr"], None))
    kept = set(made.values())
    places: dict[int, Owner] = {}

    def owner_of(index: int | None) -> Owner:
        if index is None:
            return BEFORE
        if index in kept and (named := names.get(events[index]["addr"])) is not None:
            return named
        if index not in places:
            place = place_of(events[index].get("frames") or ())
            places[index] = ("freed" if index not in kept else "other", place or ELSEWHERE)
        return places[index]

    return [
        Change(
            event.get("time_us", index) / 1e6,
            owner_of(maker),
            float(event["size"] if event["action"] == MADE else -event["size"]),
        )
        for index, (event, maker) in enumerate(zip(events, makers, strict=True))
    ]


def timeline_of(changes: Sequence[Change], first: Mapping[Owner, float]) -> Timeline:
    """Return the states over time: in each of at most ``MOST_COLUMNS`` columns, the one with the most memory.

    Parameters
    ----------
    first
        What each owner had at the beginning.
    """
    began, ended = changes[0].seconds, changes[-1].seconds
    width = (ended - began) / (MOST_COLUMNS - 1) or 1.0
    total = sum(first.values())
    highest: dict[int, tuple[float, int]] = {}
    for index, change in enumerate(changes):
        total += change.bytes
        column = int((change.seconds - began) / width)
        highest[column] = max(highest.get(column, (float("-inf"), 0)), (total, -index))
    shown = {-index: column for column, (_, index) in highest.items()}
    shown.setdefault(len(changes) - 1, MOST_COLUMNS - 1)  # the end is shown as it is
    sizes = dict(first)
    states = []
    for index, change in enumerate(changes):
        sizes[change.owner] = sizes.get(change.owner, 0.0) + change.bytes
        if index in shown:
            states.append((began + shown[index] * width, dict(sizes)))
    totals = [sum(each.values()) for _, each in states]
    peak = totals.index(max(totals))
    owners = sorted(sizes, key=lambda owner: -states[peak][1].get(owner, 0.0))
    return Timeline(
        [time - began for time, _ in states],
        {each: [max(0.0, state.get(each, 0.0)) for _, state in states] for each in owners},
        peak,
    )


def largest_owners(timeline: Timeline) -> Iterator[tuple[Owner, list[float]]]:
    """Yield the largest owners at the peak, and all others as one."""
    every = [each for each in timeline.owners.items() if max(each[1])]
    yield from every[:MOST_OWNERS]
    rest = [values for _, values in every[MOST_OWNERS:]]
    if rest:
        yield ("other", Message("smaller owners")), [sum(each) for each in zip(*rest, strict=True)]
