"""Find the metrics, benchmarks, diagnosis rules and checks that other packages add through entry points.

An entry point names one object of its group's type, or a tuple of them. This module uses only the standard library.
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
    """Return this package's objects, followed by those of other packages in this environment; each name occurs once.

    An addition that can't be loaded, has another type, or repeats a name is logged and left out.

    Parameters
    ----------
    own
        This package's objects.
    group
        The entry point group without the prefix, such as ``benchmarks``.
    kind
        The type of the objects.
    name_of
        Returns the name of an object, which must be unique.
    """
    found = {name_of(each): each for each in own}
    for point in entry_points_of(group):
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
    except (Exception, SystemExit):  # code of other packages may raise anything
        logger.exception("%s could not be loaded; skipped.", point.value)
        return ()


@functools.lru_cache(1)
def _all_entry_points(_path: tuple[str, ...]) -> EntryPoints | SelectableGroups | None:
    """Return the entry points of all installed packages; ``None`` if they can't be read.

    Python reads the entry points of all packages for each query, so the result is cached. A package that is installed
    later is found only after a restart.
    """
    # Import and read only when first needed, because both would delay the start of the server.
    from importlib.metadata import entry_points

    try:
        return entry_points()
    except Exception:  # broken metadata of another package
        logger.exception("Entry points of other packages could not be read.")
        return None


def entry_points_of(group: str) -> Sequence[EntryPoint]:
    """Return the entry points of all packages in one of this package's groups, without loading them."""
    every = _all_entry_points(tuple(sys.path))
    return () if every is None else tuple(every.select(group=PREFIX + group))
