"""Patch the one method through which every torch DataLoader returns its batches, so that the clock times them.

Nothing here imports torch. If torch is not imported yet, its module is patched when it is imported.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from jupyter_gpuperf.import_hook import ImportHook
from jupyter_gpuperf.loops.clock import IteratorClock

MODULE: Final = "torch.utils.data.dataloader"
CLASS: Final = "_BaseDataLoaderIter"
SLOT: Final = "_gpuperf_clock"

Begin = Callable[[Any], IteratorClock | None]


class Patch:
    """The patch of this process. Applying it a second time changes nothing.

    Parameters
    ----------
    begin
        Returns the clock for an iterator that has none, or ``None`` if the iterator is not watched.
    """

    def __init__(self, begin: Begin) -> None:
        self.quiet = False
        """Whether the patched method only passes calls through: in forked children, while timing is suspended, and
        after :meth:`undo`, which can't remove the method if another patch wraps it."""
        self.draw_batch: Callable[[Any, Callable[[Any], Any]], Any] | None = None
        """Called with the iterator and torch's method to draw a batch while steps are profiled; otherwise ``None``."""
        self._begin = begin
        self._hook = ImportHook(MODULE, self._apply_to)
        self._original: Any = None
        self._ours: Any = None

    @property
    def applied(self) -> bool:
        """Whether batches are timed now, or will be once torch is imported."""
        return not self.quiet and (self._ours is not None or self._hook.waiting)

    def apply(self) -> None:
        """Time every batch from now on."""
        self.quiet = False
        self._hook.start()

    def undo(self) -> None:
        """Stop timing, and restore torch's own method unless another patch wraps it."""
        self._hook.stop()
        self.quiet = True
        iterator = getattr(sys.modules.get(MODULE), CLASS, None)
        if iterator is not None and iterator.__dict__.get("__next__") is self._ours:
            iterator.__next__ = self._original
            self._original = self._ours = None

    def _apply_to(self, module: ModuleType) -> None:
        iterator = getattr(module, CLASS, None)
        if iterator is None or self._ours is not None:
            return
        self._original = iterator.__next__
        self._ours = _timed(self._original, self._begin, self)
        iterator.__next__ = self._ours


def _timed(original: Callable[[Any], Any], begin: Begin, patch: Patch) -> Callable[[Any], Any]:
    now = time.perf_counter

    def __next__(self: Any) -> Any:  # noqa: N807
        if patch.quiet:
            return original(self)
        try:
            clock = self._gpuperf_clock
        except AttributeError:
            clock = begin(self)
            if clock is None:
                return original(self)
        if clock.batches and not getattr(self, "_num_yielded", True):
            clock.end()  # persistent workers begin another epoch, although the last one was left early
        clock.batch_requested(now())
        draw_batch = patch.draw_batch
        try:
            batch = original(self) if draw_batch is None else draw_batch(self, original)
        except BaseException:
            clock.end()
            raise
        clock.batch_received(now(), batch)
        if draw_batch is not None:
            clock.leave_out()
        return batch

    return __next__
