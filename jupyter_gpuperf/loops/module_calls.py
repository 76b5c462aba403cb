"""Find the call of the outermost torch module on a thread's stack."""

from __future__ import annotations

import contextlib
import functools
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
    caller
        The code of the function that calls the module.
    """

    module: Any
    args: Any
    kwargs: Any
    caller: CodeType | None

    @property
    def can_have_hooks(self) -> bool:
        """Whether hooks on the module are outside of compiled code; others would have it compiled again."""
        return getattr(self.module, "_compiled_call_impl", None) is None


def outermost_call(frame: FrameType, codes: TorchCodes) -> ModuleCall | None:
    """Return the outermost call on the stack with this innermost frame.

    ``None`` if there is none, or if it is within a backward pass or compiled code, where calls are no steps of a loop.
    """
    found = None
    for each in outwards(frame):
        if codes.is_call(each.f_code):
            found = each
        elif is_boundary(each, codes):
            found = None
    values = {} if found is None else found.f_locals
    module = values.get("self")
    if found is None or not has_parameters(module):
        return None  # such as a loss, or an augmentation
    caller = found.f_back and found.f_back.f_code
    return ModuleCall(module, values.get("args", ()), values.get("kwargs", {}), caller)


def code_of_call(module: Any, codes: TorchCodes) -> CodeType | None:
    """Return the code with which each call of the module begins, mostly that of ``forward``; ``None`` if it is not Python's."""
    with contextlib.suppress(Exception):  # another kind of module
        compiled = getattr(module, "_compiled_call_impl", None)
        function = module.forward if compiled is None else compiled
        while isinstance(function, functools.partial):
            function = function.func
        if not hasattr(function, "__code__"):
            function = type(function).__call__
        code = getattr(function, "__code__", None)  # of a method, that of its function
        return None if code is None or codes.is_call(code) else code
    return None


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
    if frame.f_globals.get("__name__") != DYNAMO:
        return False
    # The call of a compiled module itself is outside of compiled code, and so is what Dynamo leaves out.
    name: str = getattr(code, "co_qualname", code.co_name)
    return not name.endswith("__call__") and not name.startswith("DisableContext.")


def has_parameters(module: Any) -> bool:
    """Return whether it is a module with parameters."""
    with contextlib.suppress(Exception):  # no module at all, or it changes meanwhile
        return next(module.parameters(), None) is not None
    return False
