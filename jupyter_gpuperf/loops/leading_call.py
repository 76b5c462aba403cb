"""Recognise the calls of the module that bounds a loop's steps, while they begin and end."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.backward_patch import leave_out_of_dynamo
from jupyter_gpuperf.loops.module_calls import ModuleCall, TorchCodes, is_boundary, is_within
from jupyter_gpuperf.loops.optimizer_hooks import NO_BACKWARD


class Lead(NamedTuple):
    """The module that leads, how it is called, and what of torch is needed at each call."""

    module: Callable[[], Any]
    begins: CodeType
    """The code with which each call begins."""
    caller: CodeType | None
    codes: TorchCodes
    backward: Callable[[], int]
    is_grad_enabled: Callable[[], bool]


def lead_of(call: ModuleCall, begins: CodeType, codes: TorchCodes, torch: Any) -> Lead:
    """Let the module that was seen in this call lead, whose calls begin with this code."""
    for each in (leading_call, _call_around, is_within, is_boundary):
        leave_out_of_dynamo(torch, each)
    return Lead(
        weakref.ref(call.module),
        begins,
        call.caller,
        codes,
        getattr(torch._C, "_current_graph_task_id", lambda: NO_BACKWARD),
        torch.is_grad_enabled,
    )


CALL_DEPTH: Final = 5
"""Number of frames between :func:`leading_call` and ``Module.__call__`` in which it mostly is: a module without hooks."""


def leading_call(lead: Lead) -> FrameType | None:
    """Return the outermost frame of the call of the leading module that has just begun or ended.

    ``None`` if it is the call of another module, one within a module, or one within a backward pass.
    """
    codes = lead.codes
    try:
        call: FrameType | None = sys._getframe(CALL_DEPTH)
    except ValueError:  # ``forward`` is called by itself
        call = None
    if call is None or call.f_code is not codes.called:
        call = _call_around(sys._getframe(), lead)
    caller = call and call.f_back
    if call is None or caller is None or caller.f_code is lead.begins:
        return None
    if call.f_locals.get("self") is not lead.module() or lead.backward() != NO_BACKWARD:
        return None
    return None if caller.f_code is not lead.caller and is_within(caller, codes) else call


def _call_around(frame: FrameType | None, lead: Lead) -> FrameType | None:
    codes, call = lead.codes, None
    while frame is not None and frame.f_code is not lead.begins:
        frame = frame.f_back
    frame = frame and frame.f_back
    while frame is not None and (
        (code := frame.f_code) is codes.calls or code is codes.called or code is codes.with_hooks
    ):
        call, frame = frame, frame.f_back
    return call
