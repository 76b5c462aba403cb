"""What other packages add to a list of ours: metrics, benchmarks, diagnoses, checks. Standard library only.

An entry point names one thing of the list's kind, or several in a tuple.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints, SelectableGroups

T = TypeVar("T")

PREFIX: Final = "jupyter_gpuperf."

logger = logging.getLogger(__name__)


def with_additions(
    own: Sequence[T], group: str, kind: type[T], name_of: Callable[[T], str]
) -> tuple[T, ...]:
    """Return ours, then what other packages in this environment add, each name once.

    What can't be loaded, is no such thing, or repeats a name is named in the log and left out: the rest goes on.

    Parameters
    ----------
    group
        The entry points' group without the package's name: ``benchmarks``.
    """
    found = {name_of(each): each for each in own}
    for point in points_of(group):
        for addition in _loaded(point, kind):
            if not isinstance(addition, kind):
                logger.error("%s is not a %s; left out.", point.value, kind.__name__)
            elif found.setdefault(name_of(addition), addition) is not addition:
                repeated = name_of(addition)
                logger.error("%s repeats %s of %s; left out.", point.value, repeated, group)
    return tuple(found.values())


def _loaded(point: EntryPoint, kind: type) -> Sequence[Any]:
    try:
        loaded = point.load()
        return (loaded,) if isinstance(loaded, kind) else tuple(loaded)
    except (Exception, SystemExit):  # foreign code at load; the log names it
        logger.exception("%s could not be loaded; it is left out.", point.value)
        return ()


@functools.lru_cache(1)
def _all_entry_points(_path: tuple[str, ...]) -> EntryPoints | SelectableGroups | None:
    """Return everybody's entry points: whatever is asked for, Python reads every package's, so once is enough.

    What is installed later is seen after a restart.
    """
    # Neither the module nor the packages are read before somebody asks: a server's start waits for both.
    from importlib.metadata import entry_points

    try:
        return entry_points()
    except Exception:  # another package's broken metadata
        logger.exception("What other packages add could not be looked up.")
        return None


def points_of(group: str) -> Sequence[EntryPoint]:
    """Return what other packages declare for one of our groups, not loaded yet."""
    every = _all_entry_points(tuple(sys.path))
    return () if every is None else tuple(every.select(group=PREFIX + group))
