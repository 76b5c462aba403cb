"""Mark the backward passes of steps that are followed, by the function that ``Tensor.backward`` calls."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from threading import get_ident
from types import ModuleType
from typing import Any

from jupyter_gpuperf.import_hook import ImportHook
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.followed_step import mark_phase
from jupyter_gpuperf.loops.phase_clock import BACKWARD, BACKWARD_END
from jupyter_gpuperf.loops.step_work import StepWork


class BackwardPatch:
    """The patch of this process. Applying it a second time changes nothing."""

    def __init__(self, given: BatchCounter) -> None:
        self.quiet = False
        """Whether calls are only passed through."""
        self._given = given
        self._hook = ImportHook("torch", self._apply_to)
        self._autograd: Any = None
        self._original: Any = None
        self._ours: Any = None

    def apply(self) -> None:
        """Mark backward passes from now on, even if torch is not imported yet."""
        self.quiet = False
        self._hook.start()

    def undo(self) -> None:
        """Restore torch's own function, unless another patch wraps it."""
        self.quiet = True
        self._hook.stop()
        if self._ours is not None and self._autograd.backward is self._ours:
            self._autograd.backward = self._original
            self._ours = None

    def _apply_to(self, torch: ModuleType) -> None:
        if self._ours is None:
            self._autograd, self._original = torch.autograd, torch.autograd.backward
            self._ours = self._marking(self._original, torch)
            leave_out_of_dynamo(torch, self._ours)
            torch.autograd.backward = self._ours

    def _marking(self, original: Any, torch: Any) -> Any:
        given, followed = self._given, self._given.marks
        # In a step with a graph break at the backward pass, Dynamo would compile what is called from here, too.
        switch = getattr(_eval_frame(torch), "set_eval_frame", lambda callback: callback)

        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            given.of_thread.backward_passes += 1
            marks = followed.get(get_ident()) if followed else None
            # A pass within a pass, such as that of a checkpoint, is a part of it.
            if marks is None or self.quiet or marks.kinds[-1] == BACKWARD:
                return original(*args, **kwargs)
            compiler = switch(None)
            try:
                mark_phase(given, BACKWARD)
                with _followed(marks.work, *args, **kwargs):
                    switch(compiler)
                    try:
                        return original(*args, **kwargs)
                    finally:
                        switch(None)
            finally:
                mark_phase(given, BACKWARD_END)
                switch(compiler)

        return backward


def _followed(
    work: StepWork,
    tensors: Any = None,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *_: Any,
    **__: Any,
) -> AbstractContextManager[None]:
    """Take note of a backward pass with these arguments; return a context that counts its operations, if they count."""
    keeps_graph = bool(create_graph if retain_graph is None else retain_graph)
    work.passes += not keeps_graph
    if work.count is None:
        return nullcontext()
    return work.count.backward_pass(keeps_graph=keeps_graph, creates_graph=create_graph)


def leave_out_of_dynamo(torch: Any, function: Any) -> None:
    """Have Dynamo run this function as it is; traced, it would be one more graph break in a compiled step."""
    eval_frame = _eval_frame(torch)
    if hasattr(eval_frame, "skip_code"):  # of older versions
        eval_frame.skip_code(function.__code__)
    elif hasattr(eval_frame, "set_code_exec_strategy"):
        actions = eval_frame._FrameAction
        strategy = eval_frame._FrameExecStrategy(actions.SKIP, actions.DEFAULT)
        eval_frame.set_code_exec_strategy(function.__code__, strategy)


def _eval_frame(torch: Any) -> Any:
    return getattr(getattr(getattr(torch, "_C", None), "_dynamo", None), "eval_frame", None)
