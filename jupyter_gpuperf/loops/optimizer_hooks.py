"""Notice each step of every torch optimizer through torch's global hook, and each step that a GradScaler leaves out.

Nothing here imports torch. The functions that torch calls do nothing while Dynamo traces them, so that a compiled
optimizer gets no graph break from them; such an optimizer's steps are not noticed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import get_ident
from types import ModuleType
from typing import Any, Final

from jupyter_gpuperf.import_hook import ImportHook
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.followed_step import mark_optimizer, mark_phase
from jupyter_gpuperf.loops.phase_clock import OPTIMIZER_END

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
    given
        Its steps that are followed get the marks of the optimizer.

    Nothing is done for optimizers that step within a backward pass, one per parameter: they bound no step of a loop.
    """

    def __init__(self, stepped: Callable[[Any, float], None], given: BatchCounter) -> None:
        self.quiet = False
        """Whether nothing is called: in forked children, and while timing is suspended."""
        self._stepped, self._given = stepped, given
        self._scaling: set[int] = set()
        """Threads in which a scaler has yet to call its optimizer."""
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
        stepped, given, scaling = self._stepped, self._given, self._scaling
        followed = given.marks
        now, is_compiling = time.perf_counter, torch.compiler.is_dynamo_compiling
        # Torch calls the hooks again for the step of a base class: of two ends after one begin, the first counts.
        began: set[int] = set()
        backward = getattr(torch._C, "_current_graph_task_id", lambda: NO_BACKWARD)

        def optimizer_steps(optimizer: Any, *_: Any) -> None:
            if is_compiling() or self.quiet or backward() != NO_BACKWARD:
                return
            began.add(id(optimizer))
            if followed:
                mark_optimizer(given, optimizer)

        def optimizer_stepped(optimizer: Any, *_: Any) -> None:
            if is_compiling() or self.quiet or id(optimizer) not in began:
                return
            began.discard(id(optimizer))
            if scaling:
                scaling.discard(get_ident())
            if followed:
                mark_phase(given, OPTIMIZER_END)
            stepped(optimizer, now())

        hooks = sys.modules[OPTIMIZERS]
        return (
            hooks.register_optimizer_step_pre_hook(optimizer_steps),
            hooks.register_optimizer_step_post_hook(optimizer_stepped),
        )

    def _wrap_scaler(self, torch: Any) -> None:
        stepped, now, scaling = self._stepped, time.perf_counter, self._scaling
        scaler_class, is_compiling = torch.amp.GradScaler, torch.compiler.is_dynamo_compiling
        original = scaler_class.step

        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or self.quiet:
                return original(scaler, optimizer, *args, **kwargs)
            thread = get_ident()
            scaling.add(thread)
            try:
                result = original(scaler, optimizer, *args, **kwargs)
                if thread in scaling:  # infinite gradients: the optimizer was not called
                    stepped(optimizer, now())
            finally:
                scaling.discard(thread)
            return result

        self._scaler_class, self._original, self._ours = scaler_class, original, step
        scaler_class.step = step
