"""Find the call of the outermost torch module on a thread's stack."""

from __future__ import annotations

import contextlib
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.host_lines import outwards

DYNAMO: Final = "torch._dynamo.eval_frame"
"""The module whose frames surround compiled code. Hooks on a module that is called there would have it compiled again."""


class TorchCodes(NamedTuple):
    """The code of torch's own functions between ``model(x)`` and the begin of the model's ``forward``, and of its backward pass.

    Attributes
    ----------
    called, calls, with_hooks
        ``Module.__call__``; what that calls; what that calls, if the module has hooks.
    engine
        What runs a backward pass.
    """

    called: CodeType | None
    calls: CodeType | None
    with_hooks: CodeType | None
    engine: CodeType | None

    @classmethod
    def of(cls, torch: Any) -> TorchCodes | None:
        """Return the codes; ``None`` while torch is not imported, or if its modules are called in another way."""
        module = getattr(getattr(torch, "nn", None), "Module", None)
        calls = getattr(getattr(module, "_call_impl", None), "__code__", None)
        if calls is None:
            return None
        with_hooks = [each for each in calls.co_consts if isinstance(each, CodeType)]
        graph = getattr(getattr(torch, "autograd", None), "graph", None)
        return cls(
            called=getattr(getattr(module, "_wrapped_call_impl", None), "__code__", None),
            calls=calls,
            with_hooks=with_hooks[0] if with_hooks else None,
            engine=getattr(getattr(graph, "_engine_run_backward", None), "__code__", None),
        )

    def is_call(self, code: CodeType) -> bool:
        """Return whether a frame with this code belongs to the call of a module."""
        return code is self.calls or code is self.called or code is self.with_hooks


class ModuleCall(NamedTuple):
    """A call of a module that has parameters.

    Attributes
    ----------
    begins
        The code of the function that the call runs, such as ``forward``; ``None`` if it is not Python's, or not yet known.
    caller
        The code of the function that calls the module.
    """

    module: Any
    args: Any
    kwargs: Any
    begins: CodeType | None
    caller: CodeType | None

    @property
    def can_have_hooks(self) -> bool:
        """Whether hooks on the module are outside of compiled code; others would have it compiled again."""
        return getattr(self.module, "_compiled_call_impl", None) is None


def outermost_call(frame: FrameType, codes: TorchCodes) -> ModuleCall | None:
    """Return the outermost call on the stack with this innermost frame.

    ``None`` if there is none, or if it is within a backward pass or compiled code, where calls are no steps of a loop.
    """
    stack = list(outwards(frame))
    found: tuple[int, int] | None = None
    for depth, each in enumerate(stack):
        if codes.is_call(each.f_code):
            is_same = found is not None and found[1] == depth - 1
            found = (found[0] if is_same and found else depth, depth)
        elif is_boundary(each, codes):
            found = None
    if found is None:
        return None
    first, last = found
    values = stack[last].f_locals
    module = values.get("self")
    if not has_parameters(module):
        return None  # a loss, or an augmentation
    return ModuleCall(
        module,
        values.get("args", ()),
        values.get("kwargs", {}),
        begins=stack[first - 1].f_code if first else None,
        caller=stack[last + 1].f_code if last + 1 < len(stack) else None,
    )


def is_within(frame: FrameType | None, codes: TorchCodes) -> bool:
    """Return whether this frame is within the call of a module, a backward pass, or compiled code."""
    # Dynamo must be able to run this as it is: nothing of Python's own is called but is_boundary().
    while frame is not None:
        code = frame.f_code
        if code is codes.calls or code is codes.called or is_boundary(frame, codes):
            return True
        frame = frame.f_back
    return False


def is_boundary(frame: FrameType, codes: TorchCodes) -> bool:
    """Return whether what is called from this frame is within a backward pass, or compiled code."""
    code = frame.f_code
    if code is codes.engine:
        return True
    # The call of a compiled module itself is outside of compiled code.
    return frame.f_globals.get("__name__") == DYNAMO and code.co_name != "__call__"


def has_parameters(module: Any) -> bool:
    """Return whether it is a module with parameters."""
    with contextlib.suppress(Exception):  # no module at all, or it changes meanwhile
        return next(module.parameters(), None) is not None
    return False
