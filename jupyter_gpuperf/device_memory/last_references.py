"""Objects that must not end in a thread that searches: their end runs the user's code, or calls CUDA.

A search refers to everything that it meets. What the notebook drops meanwhile ends with the search's reference, in the
search's thread: a finalizer of the user's would run there, and a CUDA graph would break the capture of another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

from jupyter_gpuperf.device_memory.objects import bases_of, names_of_class
from jupyter_gpuperf.measure.device import started_cuda

OF_TORCH: Final = ("CUDAGraph", "MemPool")
ONLY_OURS: Final = 2
"""References to an object that only a list of ours has, while ``sys.getrefcount`` is asked about it."""


class LastReferences:
    """Collects such objects during a search.

    Parameters
    ----------
    torch
        The torch module, or a stand-in without ``cuda``.
    """

    def __init__(self, torch: Any) -> None:
        cuda = getattr(torch, "cuda", None)
        self._of_torch = {id(getattr(cuda, name, None)) for name in OF_TORCH}
        self._known: dict[int, bool] = {}
        self._kinds: list[type] = []  # keeps the classes alive, so that their identities stay valid
        self._found: list[Any] = []

    def take(self, objects: Iterable[Any]) -> None:
        """Refer to those of the objects that must not end here."""
        known, found = self._known, self._found
        for each in objects:
            kind = type(each)
            is_wanted = known.get(id(kind))
            if is_wanted is None:
                self._kinds.append(kind)
                is_wanted = known[id(kind)] = self._ends_with_code(kind)
            if is_wanted:
                found.append(each)

    def park(self) -> None:
        """Keep those to which nothing else refers any more, until :func:`release_parked`. Call this after the search."""
        found = self._found
        while found:
            if sys.getrefcount(found[-1]) <= ONLY_OURS:
                _parked.append(found[-1])
            found.pop()

    def _ends_with_code(self, kind: type) -> bool:
        return any(
            id(each) in self._of_torch or "__del__" in names_of_class(each)
            for each in bases_of(kind)
        )


_parked: Final[list[Any]] = []


def release_parked() -> None:
    """Drop the objects that searches kept, in the thread of the notebook's cells and while no graph is captured there."""
    cuda = started_cuda(sys.modules.get("torch"))
    if cuda is None or not cuda.is_current_stream_capturing():
        _parked.clear()
