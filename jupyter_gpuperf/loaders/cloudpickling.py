"""Pickle datasets that are defined in a notebook by value, for workers that are not forked.

A new process can't import a class that is defined in a cell. If the class is pickled by name, unpickling fails in the
worker, where the user does not see why. cloudpickle sends the code of the class instead.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest, Unavailable

MOST_BYTES: Final = 200 * 10**6
"""Maximum size of a pickled dataset: every worker reads all of it at every start."""


@dataclass
class PickledByValue:
    """A stand-in for an object. Pickled and unpickled, it becomes the object."""

    content: bytes
    loads: Callable[[bytes], Any]

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return self.loads, (self.content,)


def cloudpickled(value: Any, argument: str) -> Any:
    """Return a stand-in for a DataLoader argument. Workers can unpickle it wherever the argument is defined.

    ``None`` stays ``None``.

    Raises
    ------
    BadRequest
        ``too_large_to_send``, ``can_not_be_pickled``.
    Unavailable
        ``cloudpickle_missing``: the argument is defined in a notebook, and cloudpickle is not installed.
    """
    if value is None:
        return None
    pickler = _pickler()
    module = getattr(value, "__module__", None) or type(value).__module__
    if pickler is pickle and str(module) == "__main__":
        raise Unavailable(
            "cloudpickle_missing",
            "The {argument} is defined in the notebook, where only forked workers can find it.",
            "Install cloudpickle, or move the definition into a module.",
            argument=argument,
        )
    size = pickled_size(value)
    if size is not None and size > MOST_BYTES:
        raise BadRequest(
            "too_large_to_send",
            "The {argument} pickles to over {limit:.0f} MB, too much to send to each worker.",
            "Keep the data in files, and open them when the worker loads its first item.",
            argument=argument,
            limit=MOST_BYTES / 1e6,
        )
    try:
        content: bytes = pickler.dumps(value)
    except Exception as error:  # the user's own code
        raise BadRequest(
            "can_not_be_pickled",
            "The {argument} can't be sent to a worker: {type}: {error}",
            "Open files, locks and connections when the worker loads its first item.",
            argument=argument,
            type=type(error).__name__,
            error=error,
        ) from error
    return PickledByValue(content, pickler.loads)


def pickled_size(value: object) -> int | None:
    """Return the size of a pickled object in bytes, at most ``MOST_BYTES + 1``; ``None`` if it can't be pickled."""
    counter = _ByteCounter()
    try:
        _pickler().Pickler(counter, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except _TooMuch:
        return MOST_BYTES + 1
    except Exception:  # the user's own code  # noqa: BLE001
        return None
    return counter.size_bytes


def loads_elsewhere(value: object) -> bool:
    """Return whether new processes can load an object that torch pickles: nothing of it is defined in the notebook."""
    counter = _ByteCounter()
    try:
        pickle.Pickler(counter, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except _TooMuch:  # no more is known
        return not counter.names_notebook
    except Exception:  # the user's own code, or a lambda  # noqa: BLE001
        return False
    return not counter.names_notebook


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError:
        return pickle
    return cloudpickle


class _TooMuch(Exception):
    """The size exceeds the limit; counting further is useless."""


class _ByteCounter:
    """A writable file object that counts the bytes, notes whether they name the notebook's module, and discards them."""

    size_bytes, names_notebook = 0, False

    def write(self, content: bytes) -> None:
        """Add the size of ``content``; raise :class:`_TooMuch` above ``MOST_BYTES``."""
        self.names_notebook |= b"__main__" in bytes(content)
        self.size_bytes += memoryview(content).nbytes
        if self.size_bytes > MOST_BYTES:
            raise _TooMuch
