"""The clocks of this process's loops, by what bounds their steps: an index sampler, an optimizer or a module."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.schemas.training import WatchedLoop

MOST_LOOPS: Final = 64
"""Maximum number of loops to keep: a notebook that creates a new loader in each epoch must not fill the memory."""

LATE_FIELDS: Final = (
    *("arguments", "device_uuid", "worker_threads", "rank", "ranks_count", "memory_growth"),
    *("host_lines", "optimizer"),
    *("flops_format", "flops_unknown", "peak_flops_per_second", "peak_clock_mhz"),
)
"""Fields of a loop that are still unknown when its first step begins."""


class LoopClocks:
    """The clocks of all loops, without those that were forgotten.

    Parameters
    ----------
    arguments_of
        Returns, as code, the arguments of the notebook's DataLoader with this name; ``None`` if there is none.
    """

    def __init__(
        self, given: BatchCounter, arguments_of: Callable[[str], list[str] | None]
    ) -> None:
        self._given, self._arguments_of = given, arguments_of
        self._clocks: dict[int, tuple[Callable[[], Any], LoopClock]] = {}
        self._wrapped: list[LoopClock] = []
        self._ids = itertools.count(1)

    def __iter__(self) -> Iterator[LoopClock]:
        yield from [clock for _, clock in list(self._clocks.values())]
        yield from list(self._wrapped)

    def clear(self) -> None:
        """Forget all loops."""
        self._clocks.clear()
        self._wrapped.clear()

    def of(self, owner: Any, info: WatchedLoop) -> LoopClock:
        """Return the clock of the loop whose steps ``owner`` bounds; a new one is described by ``info``."""
        known, clock = self._clocks.get(id(owner), (lambda: None, None))
        if clock is None or known() is not owner:
            if clock is not None:  # one that is gone had this id
                self._clocks[-clock.info.id] = self._clocks.pop(id(owner))
            clock = self._of_before(info) or LoopClock(info, self._given)
            arguments = self._arguments_of(info.name)
            own_id = clock.info.id or next(self._ids)
            clock.info = msgspec.structs.replace(clock.info, id=own_id, arguments=arguments)
            self._clocks[id(owner)] = (reference(owner), clock)
            while len(self._clocks) > MOST_LOOPS:
                self._clocks.pop(next(iter(self._clocks)))
        return clock

    def of_wrapped(self, info: WatchedLoop) -> LoopClock:
        """Return a new clock of a loop that draws from a wrapped loader."""
        clock = LoopClock(msgspec.structs.replace(info, id=next(self._ids)), self._given)
        self._wrapped.append(clock)
        del self._wrapped[:-MOST_LOOPS]
        return clock

    def _of_before(self, info: WatchedLoop) -> LoopClock | None:
        # What is created anew in each epoch counts as one, as users see it.
        for key, (known, clock) in list(self._clocks.items()):
            if known() is None and _same(clock.info, info):
                del self._clocks[key]
                return clock
        return None


def _same(one: WatchedLoop, other: WatchedLoop) -> bool:
    return msgspec.structs.replace(one, id=0, **dict.fromkeys(LATE_FIELDS)) == other


def reference(thing: Any) -> Callable[[], Any]:
    """Return a weak reference, or what returns the object if it has none."""
    try:
        return weakref.ref(thing)
    except TypeError:  # the sampler is a plain list of indices
        return lambda: thing
