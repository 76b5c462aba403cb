"""Mark the forward pass of the module that a loop calls, with hooks that are there only while it is awaited.

Hooks that stay would be saved with the model, and be compiled by TorchScript. In the one step whose operations are
counted, the module's ``forward`` is wrapped as well: a hook after it would not run if it were interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import weakref
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.loops.flop_count import OperationCount
from jupyter_gpuperf.loops.phase_clock import FORWARD, FORWARD_END
from jupyter_gpuperf.loops.step_inputs import InputReader, StepInputs

KEY: Final = -1
"""Our key among a module's hooks; torch's own are not negative."""


@dataclass(eq=False)
class ModuleLooks:
    """How often a loop was seen in its module, and in others of their own; and what the module was given the last time."""

    count: int = 0
    others_count: int = 0
    inputs: StepInputs | None = None


class RootModule:
    """The outermost module of a loop, in one thread.

    Parameters
    ----------
    mark
        Called with the kind of each mark, in the thread of the loop.
    take
        Called with what the module is given, likewise.
    """

    def __init__(
        self, module: Any, mark: Callable[[str], None], take: Callable[[StepInputs], None]
    ) -> None:
        self.module: Callable[[], Any] = weakref.ref(module)
        """Returns the module; ``None`` if it is gone, or can have no hooks."""
        self.looks: defaultdict[int, ModuleLooks] = defaultdict(ModuleLooks)
        """For each loop of the thread, such as an evaluation, by the id of its clock."""
        self.frozen_ratio, self.frozen_due_seconds = 0.0, 0.0
        """The share of its parameters that get no gradient, and when that is to be examined again."""
        self._before, self._after = _Hook(self._begin), _Hook(self._end)
        self._mark, self._take = mark, take
        self._reader: InputReader | None = None
        with contextlib.suppress(Exception):  # another kind of module
            self._reader = InputReader(module)

    def await_forward(self, count: OperationCount | None = None) -> None:
        """Mark the next forward pass, and count its operations if ``count`` is given."""
        module = self.module()
        if module is not None:
            try:
                module._forward_pre_hooks[KEY] = self._before
                module._forward_pre_hooks_with_kwargs[KEY] = True
                module._forward_hooks[KEY] = self._after
                module._forward_pre_hooks.move_to_end(KEY, last=False)
                if count is not None and "forward" not in vars(module):
                    vars(module)["forward"] = _CountedForward(module, count)
            except Exception:  # noqa: BLE001  (another kind of module)
                self.release()
                self.module = lambda: None

    def release(self) -> None:
        """Remove the hooks."""
        module = self.module()
        for name in ("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_forward_hooks"):
            getattr(module, name, {}).pop(KEY, None)
        if module is not None and isinstance(vars(module).get("forward"), _CountedForward):
            del vars(module)["forward"]

    def seen(self, loop: int, module: Any, args: Any, kwargs: Any) -> None:
        """Take note that a loop was seen in a call of ``module``, which has parameters, from another thread."""
        root, looks = self.module(), self.looks[loop]
        if module is root:
            looks.count += 1
            if self._reader is not None:
                looks.inputs = self._reader.read(args, kwargs, is_loops_thread=False)
        elif root is not None:
            looks.others_count += all(each is not module for each in root.modules())

    def take(self, args: Any, kwargs: Any) -> None:
        """Take note of what the module is given, in the thread of the loop."""
        if self._reader is not None:
            try:
                self._take(self._reader.read(args, kwargs))
            except Exception:  # noqa: BLE001  (the user's loop must continue)
                self._reader = None

    def _begin(self, _: Any, args: Any, kwargs: Any) -> None:
        self.take(args, kwargs)
        self._mark(FORWARD)

    def _end(self, *_: Any) -> None:
        self._mark(FORWARD_END)
        self.release()


class _CountedForward:
    """A module's ``forward``, whose operations are counted. Copies of the module get its own."""

    def __init__(self, module: Any, count: OperationCount) -> None:
        self._module, self._count = weakref.ref(module), count
        functools.update_wrapper(self, module.forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        module: Any = self._module()
        with self._count.forward_pass():
            return type(module).forward(module, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy has no attributes yet when this is called for it, so it gets its class's method.
        return getattr, (self._module(), "forward")


class _Hook:
    """A hook that changes nothing. Copies of the module, also those in a file, get one that does nothing."""

    def __init__(self, call: Callable[..., None]) -> None:
        compiler = getattr(sys.modules.get("torch"), "compiler", None)
        self._is_compiling: Callable[[], bool] = getattr(compiler, "is_dynamo_compiling", bool)
        self._call = call

    def __call__(self, *args: Any) -> None:
        if not self._is_compiling():
            self._call(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        # The method takes any arguments and returns None, and is there without this package.
        return getattr, (contextlib.nullcontext(), "__exit__")
