"""Levers of the optimizer."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.loops.optimizer_info import can_be_fused
from jupyter_gpuperf.messages import Message


def _fused(situation: Situation, code: CellCode) -> CellCode:
    known = [
        path
        for path, each in situation.optimizers.items()
        if can_be_fused(situation.torch, each) and not any(x["fused"] for x in each.param_groups)
    ]
    if not known:
        raise NotApplicable(Message("No optimizer of the cell could be fused and is not."))
    lines: list[str] = []
    for path in known:
        lines += [
            f"for group in {path}.param_groups:  # or fused=True, where it is created",
            "    group.update(fused=True, foreach=False)",
            f"{path}.load_state_dict({path}.state_dict())  # moves its counters to the device",
        ]
    return code.with_setup(*lines)


LEVERS: Final = (Lever(name="fused optimizer", apply=_fused),)
