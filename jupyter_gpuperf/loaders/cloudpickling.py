"""Send datasets defined in a notebook to workers that are not forked, as code and data instead of by name.

A fresh process can't import a class from a cell. Pickled by name, it fails in the worker, where nobody sees why.
cloudpickle sends the class itself.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.messages import Message

MOST_BYTES: Final = 200 * 10**6
"""Most bytes to send: each worker reads them all at each start."""


@dataclass
class ByValue:
    """Stands for an object and becomes that object in another process."""

    content: bytes
    loads: Callable[[bytes], Any]

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return self.loads, (self.content,)


def cloudpickled(value: Any, what: str) -> Any:
    """Return a substitute for ``value`` that workers can unpickle wherever it is defined; ``None`` for ``None``.

    Raises
    ------
    BadRequest
        ``too_large_to_send``, ``can_not_be_pickled``.
    Unavailable
        ``cloudpickle_missing``: it is defined in a notebook and needs cloudpickle.
    """
    if value is None:
        return None
    pickler = _pickler()
    module = getattr(value, "__module__", None) or type(value).__module__
    if pickler is pickle and str(module) == "__main__":
        raise Unavailable(
            "cloudpickle_missing",
            "The {what} is defined in the notebook: workers that are not forked can't have it.",
            "Install cloudpickle, or move the class into a module.",
            what=what,
        )
    size = pickled_bytes(value)
    if size is not None and size > MOST_BYTES:
        raise BadRequest(
            "too_large_to_send",
            "Pickled, the {what} takes more than {most_bytes:.0f} MB: every worker that is "
            "not forked would read all of it at each start.",
            "Open its files in the worker, at the first item, or keep the data in a file.",
            what=what,
            most_bytes=MOST_BYTES / 1000000.0,
        )
    try:
        content: bytes = pickler.dumps(value)
    except Exception as error:  # the user's own code
        message = Message(
            "The {what} can't be sent to a worker: {name}: {error}",
            what=what,
            name=type(error).__name__,
            error=error,
        )
        hint = "Open files, locks and connections in the worker, at the first item."
        raise BadRequest("can_not_be_pickled", message, hint) from error
    return ByValue(content, pickler.loads)


def pickled_bytes(value: object) -> int | None:
    """Return the bytes of a pickled dataset, at most ``MOST_BYTES + 1``; ``None`` when it can't be pickled."""
    counted = _Count()
    try:
        _pickler().Pickler(counted, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except _TooMuch:
        return MOST_BYTES + 1
    except Exception:  # the user's own code  # noqa: BLE001
        return None
    return counted.size_bytes


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError:
        return pickle
    return cloudpickle


class _TooMuch(Exception):
    """The size exceeds the limit; counting further is useless."""


class _Count:
    """A file object that counts the bytes and discards them."""

    size_bytes = 0

    def write(self, content: bytes) -> int:
        """Add the size of ``content``; raise :class:`_TooMuch` above ``MOST_BYTES``."""
        size = memoryview(content).nbytes
        self.size_bytes += size
        if self.size_bytes > MOST_BYTES:
            raise _TooMuch
        return size
