"""Levers of the optimizer."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.messages import Message

FUSED_CLASSES: Final = ("Adam", "AdamW", "SGD", "Adagrad")
"""Classes of torch with a fused implementation."""


def _fused(situation: Situation, code: CellCode) -> CellCode:
    known = {path: each for path, each in situation.optimizers.items() if _could_be_fused(each)}
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


def _could_be_fused(optimizer: Any) -> bool:
    kind = type(optimizer)
    is_torchs = kind.__module__.startswith("torch.optim.") and kind.__name__ in FUSED_CLASSES
    groups = optimizer.param_groups
    return (
        is_torchs
        and all("fused" in each and not each["fused"] for each in groups)
        and not any(each.get("differentiable") for each in groups)
    )


LEVERS: Final = (Lever(name="fused optimizer", apply=_fused),)
