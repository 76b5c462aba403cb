"""Save and restore the contents of NumPy arrays in place; large arrays are only checked for changes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import Any, Final

from jupyter_gpuperf.state.copies import CopyPlan, memory_key

WATCHED_ITEMS: Final = 65_536
"""About this many evenly spaced items of a large array are compared, to detect changes."""


class SavedArrays:
    """The contents of arrays at one moment."""

    def __init__(self, arrays: Iterable[tuple[str, Any]], copies: CopyPlan) -> None:
        self._kept: list[tuple[str, Any, Any, bool]] = []
        self._watched: list[tuple[str, Any, int]] = []
        for path, array in arrays:
            if memory_key(array) in copies.memory:
                before = _plain(array).copy(order="K")
                self._kept.append((path, array, before, array.flags.writeable))
            elif array.flags.writeable:
                self._watched.append((path, array, _fingerprint(array)))

    def restore(self) -> None:
        """Restore the copied contents of arrays that still have the same shape and dtype."""
        for _, array, before, is_writeable in self._kept:
            if _is_like(array, before) and (is_writeable or array.flags.writeable):
                with contextlib.suppress(ValueError):  # a view whose base is protected
                    array.flags.writeable = True
                    _plain(array)[...] = before
                    array.flags.writeable = is_writeable

    def not_restored(self) -> list[str]:
        """Return the paths of arrays that no longer match their copies, and of large ones that have changed."""
        return [
            *(
                path
                for path, array, before, is_writeable in self._kept
                if not _is_like(array, before) or array.flags.writeable < is_writeable
            ),
            *(path for path, array, before in self._watched if _fingerprint(array) != before),
        ]


def _plain(array: Any) -> Any:
    """Return the memory without what subclasses add: a mask protects values from being written."""
    return array.view(sys.modules["numpy"].ndarray)


def _is_like(array: Any, before: Any) -> bool:
    return bool(array.shape == before.shape and array.dtype == before.dtype)


def _fingerprint(array: Any) -> int:
    step = max(1, array.size // WATCHED_ITEMS)
    flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
    return hash(flat[::step].tobytes())
