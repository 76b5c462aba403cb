"""Notice each step of every torch optimizer through torch's global hook, and each step that a GradScaler leaves out.

Nothing here imports torch. The functions that torch calls do nothing while Dynamo traces them, so that a compiled
optimizer gets no graph break from them; such an optimizer's steps are not noticed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, Final

from jupyter_gpuperf.loops.import_hook import ImportHook
from jupyter_gpuperf.loops.phase_clock import OPTIMIZER, OPTIMIZER_END

OPTIMIZERS: Final = "torch.optim.optimizer"
"""The module with the global hooks. It is no attribute of ``torch.optim``."""
NO_BACKWARD: Final = -1
"""What torch calls the running backward pass of a thread that runs none."""


class OptimizerHooks:
    """The hooks of this process.

    Parameters
    ----------
    stepped
        Called in the loop's own thread with the optimizer and the time at which its step ended.
    mark
        Called with ``OPTIMIZER`` and ``OPTIMIZER_END`` before and after each step.

    Neither is called for optimizers that step within a backward pass, one per parameter: they bound no step of a loop.
    """

    def __init__(self, stepped: Callable[[Any, float], None], mark: Callable[[str], None]) -> None:
        self.quiet = False
        """Whether nothing is called: in forked children, and while timing is suspended."""
        self._stepped, self._mark = stepped, mark
        self._of_thread = _OfThread()
        self._hook = ImportHook("torch", self._apply_to)
        self._handles: tuple[Any, ...] = ()
        self._scaler_class: Any = None
        self._original: Any = None
        self._ours: Any = None

    def apply(self) -> None:
        """Notice every step from now on, even if torch is not imported yet."""
        self.quiet = False
        self._hook.start()

    def undo(self) -> None:
        """Remove the hooks, and restore torch's own method unless another patch wraps it."""
        self.quiet = True
        self._hook.stop()
        for each in self._handles:
            each.remove()
        self._handles = ()
        if self._ours is not None and self._scaler_class.__dict__.get("step") is self._ours:
            self._scaler_class.step = self._original
            self._ours = None

    def _apply_to(self, torch: ModuleType) -> None:
        if not self._handles:
            self._handles = self._registered(torch)
        if self._ours is None:
            self._wrap_scaler(torch)

    def _registered(self, torch: Any) -> tuple[Any, ...]:
        of_thread, now = self._of_thread, time.perf_counter
        is_compiling, backward = torch.compiler.is_dynamo_compiling, _running_backward(torch)

        def optimizer_steps(*_: Any) -> None:
            if is_compiling() or self.quiet or backward() != NO_BACKWARD:
                return
            call = sys._getframe(1)
            if not of_thread.outermost or not _is_within(call, of_thread.outermost):
                of_thread.outermost = id(call)
                self._mark(OPTIMIZER)

        def optimizer_stepped(optimizer: Any, *_: Any) -> None:
            if is_compiling() or self.quiet:
                return
            of_thread.steps += 1
            if of_thread.outermost == id(sys._getframe(1)):
                of_thread.outermost = 0
                self._mark(OPTIMIZER_END)
                self._stepped(optimizer, now())

        hooks = sys.modules[OPTIMIZERS]
        return (
            hooks.register_optimizer_step_pre_hook(optimizer_steps),
            hooks.register_optimizer_step_post_hook(optimizer_stepped),
        )

    def _wrap_scaler(self, torch: Any) -> None:
        of_thread, stepped, now = self._of_thread, self._stepped, time.perf_counter
        scaler_class, is_compiling = torch.amp.GradScaler, torch.compiler.is_dynamo_compiling
        original = scaler_class.step

        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or self.quiet:
                return original(scaler, optimizer, *args, **kwargs)
            before = of_thread.steps
            result = original(scaler, optimizer, *args, **kwargs)
            if of_thread.steps == before:  # infinite gradients: the optimizer was not called
                stepped(optimizer, now())
            return result

        self._scaler_class, self._original, self._ours = scaler_class, original, step
        scaler_class.step = step


class _OfThread(threading.local):
    steps = 0
    """Number of optimizer steps in this thread."""
    outermost = 0
    """The id of the frame that runs the current step. Torch calls the hooks again for the step of a base class, or of an
    optimizer that is wrapped by another."""


def _is_within(frame: FrameType, outer: int) -> bool:
    """Return whether the frame was called, possibly over others, by the one with the id ``outer``."""
    caller = frame.f_back
    while caller is not None and id(caller) != outer:
        caller = caller.f_back
    return caller is not None


def _running_backward(torch: Any) -> Callable[[], int]:
    """Return a function that identifies the backward pass within which it is called."""
    return getattr(torch._C, "_current_graph_task_id", lambda: NO_BACKWARD)
