"""Mark the forward pass of the module that a loop calls, with hooks that are there only while it is awaited.

Hooks that stay would be saved with the model, and be compiled by TorchScript.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.loops.phase_clock import FORWARD, FORWARD_END

KEY: Final = -1
"""Our key among a module's hooks; torch's own are not negative."""


class RootModule:
    """The outermost module of a loop, in one thread.

    Parameters
    ----------
    mark
        Called with the kind of each mark, in the thread of the loop.
    """

    def __init__(self, module: Any, mark: Callable[[str], None]) -> None:
        self._module: Callable[[], Any] = weakref.ref(module)
        self._before, self._after = _Hook(self._begin), _Hook(self._end)
        self._mark = mark

    def await_forward(self) -> None:
        """Mark the next forward pass."""
        module = self._module()
        if module is not None:
            try:
                module._forward_pre_hooks[KEY] = self._before
                module._forward_hooks[KEY] = self._after
                module._forward_pre_hooks.move_to_end(KEY, last=False)
            except Exception:  # noqa: BLE001  (another kind of module)
                self.release()
                self._module = lambda: None

    def release(self) -> None:
        """Remove the hooks."""
        module = self._module()
        for name in ("_forward_pre_hooks", "_forward_hooks"):
            getattr(module, name, {}).pop(KEY, None)

    def _begin(self) -> None:
        self._mark(FORWARD)

    def _end(self) -> None:
        self._mark(FORWARD_END)
        self.release()


class _Hook:
    """A hook that changes nothing. Copies of the module, also those in a file, get one that does nothing."""

    def __init__(self, call: Callable[[], None]) -> None:
        compiler = getattr(sys.modules.get("torch"), "compiler", None)
        self._is_compiling: Callable[[], bool] = getattr(compiler, "is_dynamo_compiling", bool)
        self._call = call

    def __call__(self, *_: Any) -> None:
        if not self._is_compiling():
            self._call()

    def __reduce__(self) -> tuple[Any, ...]:
        # The method takes any arguments and returns None, and is there without this package.
        return getattr, (contextlib.nullcontext(), "__exit__")
