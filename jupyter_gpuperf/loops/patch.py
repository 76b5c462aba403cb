"""Patch the one method through which every torch DataLoader returns its batches, so that the clock times them.

Nothing here imports torch. If torch is not imported yet, its module is patched when it is imported.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

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
        self._finder: _Finder | None = None
        self._original: Any = None
        self._ours: Any = None

    @property
    def applied(self) -> bool:
        """Whether batches are timed now, or will be once torch is imported."""
        return not self.quiet and (self._ours is not None or self._finder is not None)

    def apply(self) -> None:
        """Time every batch from now on."""
        self.quiet = False
        module = sys.modules.get(MODULE)
        if module is not None and hasattr(module, CLASS):
            self._apply_to(module)
        elif self._finder is None:
            self._finder = _Finder(self._apply_to)
            sys.meta_path.insert(0, self._finder)

    def undo(self) -> None:
        """Stop timing, and restore torch's own method unless another patch wraps it."""
        self._remove_finder()
        self.quiet = True
        iterator = getattr(sys.modules.get(MODULE), CLASS, None)
        if iterator is not None and iterator.__dict__.get("__next__") is self._ours:
            iterator.__next__ = self._original
            self._original = self._ours = None

    def _apply_to(self, module: ModuleType) -> None:
        self._remove_finder()
        iterator = getattr(module, CLASS, None)
        if iterator is None or self._ours is not None:
            return
        self._original = iterator.__next__
        self._ours = _timed(self._original, self._begin, self)
        iterator.__next__ = self._ours

    def _remove_finder(self) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        self._finder = None


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


class _Finder(MetaPathFinder):
    """Import hook that calls ``loaded`` with torch's DataLoader module once it has been imported."""

    def __init__(self, loaded: Callable[[ModuleType], None]) -> None:
        self._loaded = loaded

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                del loader.exec_module  # restore the loader's own method
                execute(module)
                self._loaded(module)

            loader.exec_module = exec_module
        return spec
