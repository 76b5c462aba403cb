"""Levers that change how a model's kernels are chosen, laid out or generated."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.messages import Message

COMPILED_CLASS: Final = "OptimizedModule"


def _channels_last(situation: Situation, code: CellCode) -> CellCode:
    _require_convolutions(situation)
    lines = [f"{path} = {path}.to(memory_format=torch.channels_last)" for path in situation.models]
    return code.with_setup("import torch", *lines)


def _cudnn_benchmark(situation: Situation, code: CellCode) -> CellCode:
    _require_convolutions(situation)
    if not situation.is_on_gpu:
        raise NotApplicable(Message("The cell runs on the CPU."))
    if situation.torch.backends.cudnn.benchmark:
        raise NotApplicable(Message("It is on already."))
    return code.with_setup("import torch", "torch.backends.cudnn.benchmark = True")


def _compile(situation: Situation, code: CellCode) -> CellCode:
    try:
        check_compiler(situation.torch, situation.device)
    except GpuPerfError as error:
        raise NotApplicable(Message("{message}", message=error.message)) from None
    models = [
        path for path, each in situation.models.items() if type(each).__name__ != COMPILED_CLASS
    ]
    if not models:
        raise NotApplicable(Message("The cell uses no model that could be compiled."))
    lines = [f"{path} = torch.compile({path})" for path in models]
    return code.with_setup("import torch", *lines)


def _require_convolutions(situation: Situation) -> None:
    if not situation.has_convolutions():
        raise NotApplicable(Message("No model of the cell has convolutions."))


LEVERS: Final = (
    Lever(name="channels_last", apply=_channels_last),
    Lever(name="cudnn benchmark", apply=_cudnn_benchmark),
    Lever(name="compile", apply=_compile, compiles=True),
)
