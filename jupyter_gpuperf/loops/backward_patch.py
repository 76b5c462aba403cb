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
            self._ours = self._marking(self._original)
            leave_out_of_dynamo(torch, self._ours)
            torch.autograd.backward = self._ours

    def _marking(self, original: Any) -> Any:
        given, followed = self._given, self._given.marks

        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            marks = followed.get(get_ident()) if followed else None
            # A pass within a pass, such as that of a checkpoint, is a part of it.
            if marks is None or self.quiet or marks.kinds[-1] == BACKWARD:
                return original(*args, **kwargs)
            mark_phase(given, BACKWARD)
            try:
                with _followed(marks.work, *args, **kwargs):
                    return original(*args, **kwargs)
            finally:
                mark_phase(given, BACKWARD_END)

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
    eval_frame = getattr(getattr(getattr(torch, "_C", None), "_dynamo", None), "eval_frame", None)
    skip_code = getattr(eval_frame, "skip_code", None)
    if skip_code is not None:
        skip_code(function.__code__)
