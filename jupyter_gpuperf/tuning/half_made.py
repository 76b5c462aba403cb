"""Iterators that were interrupted while they were made: torch's complain when they are thrown away, and nobody is to hear."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Final

COMPLAINING: Final = "DataLoaderIter.__del__"


@contextlib.contextmanager
def thrown_away_quietly() -> Iterator[None]:
    """Throw them away before this ends, without a traceback in the notebook; all else is told as before."""
    before = sys.unraisablehook

    def hook(what: sys.UnraisableHookArgs) -> None:
        if COMPLAINING not in repr(what.object):
            before(what)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook = before
