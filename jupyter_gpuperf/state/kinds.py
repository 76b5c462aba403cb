"""How the states of certain kinds of objects are read and written: files, buffers, tables, caches and others.

Kinds are found by their names, so that nothing is imported for them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.state.bindings import NO_VALUE, attributes_of, container_type
from jupyter_gpuperf.state.values import Access, alike

LARGE: Final = 2**25
"""Rows of values that are longer than this are not copied; evenly spaced values are compared."""
COMPARED: Final = 4096
MOST_MEMBERS: Final = 1000
"""Of a longer container in an object that is not searched, only the length is compared."""


def access_maker(value: Any) -> Callable[[Any], Access] | None:
    """Return the function that makes the access to an object; ``None`` if the object is searched instead."""
    names = (
        f"{str(each.__module__).partition('.')[0]}.{each.__name__}" for each in type(value).__mro__
    )
    return next((KINDS[name] for name in names if name in KINDS), None)


def _memory_file(value: Any) -> Access:
    def write(before: tuple[Any, int]) -> None:
        value.seek(0)
        value.truncate()
        value.write(before[0])
        value.seek(before[1])

    return Access(lambda: None if value.closed else (value.getvalue(), value.tell()), write)


def _file(value: Any) -> Access:
    """Return access to a file's position. What was written stays: cutting it off could lose what others wrote."""

    def read() -> tuple[object, ...]:
        if value.closed or not value.seekable():
            return (value.closed,)
        try:
            place = value.tell()
        except OSError:  # a loop over the lines hides the position
            return (object(),)
        if not value.writable():
            return (place,)
        value.flush()
        status = os.fstat(value.fileno())
        return place, status.st_size, status.st_mtime_ns

    def write(before: tuple[Any, ...]) -> None:
        if not value.writable() or read()[1:] == before[1:]:
            value.seek(before[0])

    return Access(read, write)


def _row(value: Any) -> Access:
    if len(value) > LARGE:
        return Access(lambda: value[:: len(value) // COMPARED])
    return Access(lambda: value[:], lambda before: value.__setitem__(slice(None), before))


def _c_data(value: Any) -> Access:
    import ctypes

    raw = (ctypes.c_char * ctypes.sizeof(value)).from_buffer(value)
    if len(raw) > LARGE:
        return _row(raw)
    return Access(lambda: raw.raw, lambda before: setattr(raw, "raw", before))


def _record(value: Any) -> Access:
    def write(before: Any) -> None:
        for name in value.dtype.names or ():
            value[name] = before[name]

    return Access(value.copy, write, lambda now, before: bool(now.tobytes() == before.tobytes()))


def _cache(value: Any) -> Access:
    """Return access to a function's cache. One without a limit is a dictionary, which is searched."""

    def read() -> int:
        info = value.cache_info()
        return 0 if info.maxsize is None else info.misses

    return Access(read)


def _logger(value: Any) -> Access:
    names = ("level", "disabled", "propagate")

    def write(before: tuple[Any, ...]) -> None:
        value.setLevel(before[0])
        value.disabled, value.propagate = before[1:3]
        value.handlers[:], value.filters[:] = before[3:]

    return Access(
        lambda: (*(getattr(value, each) for each in names), value.handlers[:], value.filters[:]),
        write,
    )


def _context_variable(value: Any) -> Access:
    def write(before: Any) -> None:
        if before is not NO_VALUE:
            value.set(before)

    return Access(lambda: value.get(NO_VALUE), write)


def _table(value: Any) -> Access:
    """Return access to a DataFrame or a Series. Since pandas 3, copies share their memory until one is changed."""
    shares = int(sys.modules["pandas"].__version__.partition(".")[0]) >= 3
    if not shares and value.size > LARGE:
        step = max(1, len(value) // COMPARED)
        return Access(lambda: value.iloc[::step].copy(), alike=_alike_tables)

    def copied(table: Any) -> Any:
        return table.copy(deep=not shares)

    # A table's own way to be unpickled: it stays the same object.
    return Access(
        lambda: copied(value),
        lambda before: value.__setstate__(copied(before).__getstate__()),
        _alike_tables,
    )


def _alike_tables(now: Any, before: Any) -> bool:
    axes = zip(now.axes, before.axes, strict=True)
    return bool(
        now.equals(before)
        and all(one.identical(other) for one, other in axes)
        and now.attrs == before.attrs
        and (now.ndim > 1 or alike(now.name, before.name))
    )


def _image(value: Any) -> Access:
    """Return access to a picture's attributes. Marked as read-only, it is copied by the next change."""
    if getattr(value, "tile", None):  # still to be loaded from its file
        return Access(lambda: None)
    value.readonly, own = 1, vars(value)

    def write(before: list[tuple[str, Any]]) -> None:
        own.clear()
        own.update(before)

    return Access(lambda: list(own.items()), write)


def _index(value: Any) -> Access:
    return Access(lambda: list(value.names), lambda names: setattr(value, "names", names))


KINDS: Final[dict[str, Callable[[Any], Access]]] = {
    "_io.StringIO": _memory_file,
    "_io.BytesIO": _memory_file,
    "_io._IOBase": _file,
    "builtins.bytearray": _row,
    "array.array": _row,
    "mmap.mmap": _row,
    "_ctypes._CData": _c_data,
    "numpy.void": _record,
    "numpy.SeedSequence": lambda it: Access(lambda: it.n_children_spawned),
    "functools._lru_cache_wrapper": _cache,
    "itertools.count": lambda it: Access(lambda: repr(it)),
    "logging.Logger": _logger,
    "_contextvars.ContextVar": _context_variable,
    "_thread.lock": lambda it: Access(it.locked),
    "_thread.RLock": lambda it: Access(lambda: repr(it)),
    "_queue.SimpleQueue": lambda it: Access(it.qsize),
    "_hashlib.HASH": lambda it: Access(it.hexdigest),
    "sqlite3.Connection": lambda it: Access(lambda: it.total_changes),
    "PIL.Image": _image,
    "pandas.DataFrame": _table,
    "pandas.Series": _table,
    "pandas.Index": _index,
}
"""Package and name of a class → what makes the access to its instances."""


def contents_of(value: Any) -> list[Any]:
    """Return the objects that a value holds, if they may change too: a table's, a cache's, a logger's handlers."""
    match type(value).__name__:
        case "_lru_cache_wrapper":
            return [each for each in gc.get_referents(value) if not _is_index(value, each)]
        case "ContextVar":
            return [value.get(None)]
    if hasattr(value, "iloc"):
        is_column = value.ndim == 1
        columns = [value] if is_column else [value.iloc[:, at] for at in range(value.shape[1])]
        return [each for column in columns if column.dtype == object for each in column.array]
    return list(getattr(value, "handlers", ()))


def _is_index(cache: Any, part: Any) -> bool:
    """Return whether a part of a limited cache is the dictionary by which it finds its entries."""
    if cache.cache_info().maxsize is None or not issubclass(type(part), dict):
        return False
    return not part or any(type(each).__name__ == "_lru_list_elem" for each in part.values())


def opaque_access(value: Any) -> Access:
    """Return access to an object that is not searched: its attributes and their members are compared."""
    return Access(lambda: _look(value))


def _look(value: Any) -> list[Any]:
    look: list[Any] = []
    for name, each in attributes_of(value).items():
        look += [name, each]
        if (kind := container_type(each)) is not None:
            look.append(kind.__len__(each))
            if look[-1] <= MOST_MEMBERS:
                look += kind.items(each) if issubclass(type(each), dict) else kind.__iter__(each)
    return look
