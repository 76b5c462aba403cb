"""Levers that let matrix products and convolutions run on tensor cores."""

from __future__ import annotations

import ast
import textwrap
from typing import Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.measure.device import precisions_of
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.rewriting import TF32_LINES, cell_in_autocast
from jupyter_gpuperf.precision.scaler_code import NotRewritable, free_name
from jupyter_gpuperf.state.switches import tf32_is_on

PRECISIONS: Final = frozenset({"tf32", "bf16", "fp16"})


def _with_tf32(situation: Situation, code: CellCode) -> CellCode:
    _require(situation, "tf32")
    if tf32_is_on(situation.torch) == (True, True):
        raise NotApplicable(Message("It is on already."))
    return code.with_setup("import torch", *TF32_LINES)


def _in_bf16(situation: Situation, code: CellCode) -> CellCode:
    _require(situation, "bf16")
    if situation.has_own_autocast:
        raise NotApplicable(Message("The cell has its own autocast."))
    return _in_autocast(situation, code, "torch.bfloat16")


def _in_fp16(situation: Situation, code: CellCode) -> CellCode:
    _require(situation, "fp16")
    if "bf16" in precisions_of(situation.torch, situation.device):
        raise NotApplicable(Message("bf16 is as fast here, and needs no scaler."))
    if situation.has_own_autocast:
        raise NotApplicable(Message("The cell has its own autocast."))
    if situation.has_scaler or not situation.has_backward:
        return _in_autocast(situation, code, "torch.float16")
    scaler = free_name("scaler", code.cell, situation.namespace)
    made = f'{scaler} = torch.amp.GradScaler("{situation.device.type}")'
    return _in_autocast(situation, code, "torch.float16", scaler).with_setup(made)


def _in_autocast(
    situation: Situation, code: CellCode, dtype: str, scaler: str | None = None
) -> CellCode:
    autocast = f'torch.autocast("{situation.device.type}", dtype={dtype})'
    try:
        if situation.has_backward:
            names, torch = situation.namespace, situation.torch
            cell = cell_in_autocast(code.cell, autocast, names, torch, scaler=scaler)
        else:
            cell = _within(autocast, code.cell)
    except (NotRewritable, SyntaxError):
        reason = Message("The forward pass can't be found in the cell's code.")
        raise NotApplicable(reason) from None
    return code.with_setup("import torch").with_cell(cell)


def _without_gradients(situation: Situation, code: CellCode) -> CellCode:
    if situation.has_backward:
        raise NotApplicable(Message("The cell runs a backward pass."))
    if any(each in code.cell for each in ("no_grad", "inference_mode", "requires_grad")):
        raise NotApplicable(Message("The cell decides on gradients itself."))
    try:
        return code.with_setup("import torch").with_cell(_within("torch.no_grad()", code.cell))
    except (NotRewritable, SyntaxError):
        raise NotApplicable(Message("The cell's code can't be indented.")) from None


def _within(context: str, cell: str) -> str:
    """Return the whole cell within a context; there is no backward pass that would have to be outside of it.

    Raises
    ------
    NotRewritable
        Indenting would change the cell, such as a text of several lines.
    SyntaxError
        The cell has lines that must be at its top.
    """
    whole = f"with {context}:\n{textwrap.indent(cell.rstrip(), '    ')}\n"
    (block,) = ast.parse(whole).body
    assert isinstance(block, ast.With)
    if list(map(ast.dump, block.body)) != list(map(ast.dump, ast.parse(cell).body)):
        raise NotRewritable
    compile(whole, "<cell>", "exec")
    return whole


def _require(situation: Situation, precision: str) -> None:
    if precision not in precisions_of(situation.torch, situation.device):
        raise NotApplicable(Message("This device does not support {mode}.", mode=precision))


LEVERS: Final = (
    Lever(name="tf32", apply=_with_tf32, excludes=PRECISIONS, keeps_numbers=False),
    Lever(name="bf16", apply=_in_bf16, excludes=PRECISIONS, keeps_numbers=False),
    Lever(name="fp16", apply=_in_fp16, excludes=PRECISIONS, keeps_numbers=False),
    Lever(name="no_grad", apply=_without_gradients),
)
