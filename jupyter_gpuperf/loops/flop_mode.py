"""A dispatch mode of torch that only looks on, and when it may be entered."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.schemas.work import FlopsUnknown

AddCall = Callable[[Any, Any, Any, bool], None]
OWN_CLASSES: Final = ("torch", "torch.nn.parameter")
"""The modules of plain tensors and parameters."""
SHAPE_QUERIES: Final = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "sym_")
    for name in (
        *("is_contiguous", "is_strides_like_format", "is_non_overlapping_and_dense", "size"),
        *("stride", "storage_offset", "numel", "dim", "layout"),
    )
)
"""What tensors of other classes ask of a mode; the answer is that it has none."""


def obstacle(torch: Any) -> FlopsUnknown | None:
    """Return why no mode may be entered now: it would change how other code runs; ``None`` if it may."""
    if _has_compiled(torch) or torch.compiler.is_compiling():
        return "compiled"
    if torch._C._len_torch_dispatch_stack() or _has_function_mode(torch):
        return "other_modes"
    if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
        return "compiled"
    return None


def _has_compiled(torch: Any) -> bool:
    """Return whether Dynamo has compiled anything in this process; before torch 2.5, whether it is to."""
    if not hasattr(torch.utils._python_dispatch.TorchDispatchMode, "is_infra_mode"):
        # There, code that is called for the first time while the mode is active would never be compiled.
        return bool(getattr(sys.modules.get("torch._dynamo.eval_frame"), "cached_backends", False))
    utils = sys.modules.get("torch._dynamo.utils")
    counters = getattr(utils, "counters", None)
    if counters and counters.get("frames"):
        return True
    frames = getattr(sys.modules.get("torch._dynamo.convert_frame"), "FRAME_COUNTER", 0)
    return bool(frames)


def _has_function_mode(torch: Any) -> bool:
    count = torch._C._len_torch_function_stack()
    modes = (torch._C._get_function_stack_at(each) for each in range(count))
    # That of torch.set_default_device sees no operators.
    return any(type(each).__name__ != "DeviceContext" for each in modes)


def new_mode(torch: Any, add: AddCall) -> Any:
    """Return a mode that calls ``add`` after each operator, with it, its arguments, its result, and whether an argument is
    a tensor of another class."""
    return _mode_class(torch, "torch._dynamo" in sys.modules)(add)


@functools.cache
def _mode_class(torch: Any, has_dynamo: bool) -> Any:
    class StepFlops(torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[misc]
        supports_higher_order_operators = True

        @classmethod
        def is_infra_mode(cls) -> bool:
            return True  # code that is compiled for the first time while it is active is compiled as without it

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return has_dynamo  # this would import Dynamo, which takes seconds

        def __init__(self, add: AddCall) -> None:
            super().__init__()
            self._add = add

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            has_subclass = any(each.__module__ not in OWN_CLASSES for each in types)
            if has_subclass and getattr(func, "__name__", "").split(".")[0] in SHAPE_QUERIES:
                return NotImplemented
            result = func(*args, **(kwargs or {}))
            self._add(func, args, result, has_subclass)
            return result

    return StepFlops
