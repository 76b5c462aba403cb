"""Additions of other packages: metrics, benchmarks, diagnosis rules, checks. Standard library only.

An entry point names one object of the list's kind, or a tuple of them.
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
    """Return our own objects, then those of other packages in this environment, each name once.

    An addition that can't be loaded, is of another kind, or repeats a name is logged and left out; the others are kept.

    Parameters
    ----------
    group
        The entry point group without the package's name: ``benchmarks``.
    """
    found = {name_of(each): each for each in own}
    for point in points_of(group):
        for addition in _loaded(point, kind):
            if not isinstance(addition, kind):
                logger.error("%s is not a %s; skipped.", point.value, kind.__name__)
            elif found.setdefault(name_of(addition), addition) is not addition:
                repeated = name_of(addition)
                logger.error("%s repeats %s of %s; skipped.", point.value, repeated, group)
    return tuple(found.values())


def _loaded(point: EntryPoint, kind: type) -> Sequence[Any]:
    try:
        loaded = point.load()
        return (loaded,) if isinstance(loaded, kind) else tuple(loaded)
    except (Exception, SystemExit):  # foreign code may raise anything; the log names it
        logger.exception("%s could not be loaded; skipped.", point.value)
        return ()


@functools.lru_cache(1)
def _all_entry_points(_path: tuple[str, ...]) -> EntryPoints | SelectableGroups | None:
    """Return the entry points of all packages. Python reads those of every package anyway, so the result is cached.

    A package that is installed later is found after a restart.
    """
    # Import and read only when first needed: the server's start would wait for both.
    from importlib.metadata import entry_points

    try:
        return entry_points()
    except Exception:  # broken metadata of another package
        logger.exception("Entry points of other packages could not be read.")
        return None


def points_of(group: str) -> Sequence[EntryPoint]:
    """Return the entry points that other packages declare for one of our groups, not yet loaded."""
    every = _all_entry_points(tuple(sys.path))
    return () if every is None else tuple(every.select(group=PREFIX + group))
