"""Levers that change how a model's kernels are chosen, laid out or generated."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.compiling import is_compiled

COMPILED: Final = frozenset(
    {"compile", "compile reduce-overhead", "compile max-autotune", "compile generate()"}
)


def _channels_last(situation: Situation, code: CellCode) -> CellCode:
    _require_convolutions(situation)
    lines = [f"{path} = {path}.to(memory_format=torch.channels_last)" for path in situation.models]
    return code.with_setup("import torch", *lines)


def _cudnn_benchmark(situation: Situation, code: CellCode) -> CellCode:
    _require_convolutions(situation)
    _require_gpu(situation)
    if situation.torch.backends.cudnn.benchmark:
        raise NotApplicable(Message("It is on already."))
    return code.with_setup("import torch", "torch.backends.cudnn.benchmark = True")


def _compile(situation: Situation, code: CellCode) -> CellCode:
    return _compiled(situation, code, "")


def _compile_with_graphs(situation: Situation, code: CellCode) -> CellCode:
    _require_gpu(situation)
    return _compiled(situation, code, ', mode="reduce-overhead"')


def _compile_with_autotuning(situation: Situation, code: CellCode) -> CellCode:
    return _compiled(situation, code, ', mode="max-autotune"')


def _compiled(situation: Situation, code: CellCode, mode: str) -> CellCode:
    _require_compiler(situation)
    models = [path for path, each in situation.models.items() if not is_compiled(each)]
    if not models:
        raise NotApplicable(Message("The cell uses no model that could be compiled."))
    lines = [f"{path} = torch.compile({path}{mode})" for path in models]
    return code.with_setup("import torch", *lines)


def _compile_generation(situation: Situation, code: CellCode) -> CellCode:
    """A cache of fixed size keeps the shapes of each token's pass, so that its kernels can be one CUDA graph."""
    _require_gpu(situation)
    _require_compiler(situation)
    models = [
        path
        for path, each in situation.models.items()
        if getattr(each, "generation_config", None) is not None
    ]
    if not models or ".generate(" not in code.cell:
        raise NotApplicable(Message("The cell calls no generate() of transformers."))
    lines = [
        line
        for path in models
        for line in (
            f'{path}.generation_config.cache_implementation = "static"',
            f'{path}.forward = torch.compile({path}.forward, mode="reduce-overhead", fullgraph=True)',
        )
    ]
    return code.with_setup("import torch", *lines)


def _fused_attention(situation: Situation, code: CellCode) -> CellCode:
    eager = [
        path
        for path, each in situation.models.items()
        if getattr(getattr(each, "config", None), "_attn_implementation", "") == "eager"
        and hasattr(each, "set_attn_implementation")
    ]
    if not eager:
        reason = Message("No model of transformers here computes attention step by step.")
        raise NotApplicable(reason)
    return code.with_setup(*(f'{path}.set_attn_implementation("sdpa")' for path in eager))


def _require_convolutions(situation: Situation) -> None:
    if not situation.has_convolutions():
        raise NotApplicable(Message("No model of the cell has convolutions."))


def _require_gpu(situation: Situation) -> None:
    if not situation.is_on_gpu:
        raise NotApplicable(Message("The cell runs on the CPU."))


def _require_compiler(situation: Situation) -> None:
    try:
        check_compiler(situation.torch, situation.device)
    except GpuPerfError as error:
        raise NotApplicable(Message("{message}", message=error.message)) from None


LEVERS: Final = (
    Lever(name="sdpa attention", apply=_fused_attention),
    Lever(name="channels_last", apply=_channels_last),
    Lever(name="cudnn benchmark", apply=_cudnn_benchmark),
    Lever(name="compile", apply=_compile, compiles=True, excludes=COMPILED),
    Lever(
        name="compile reduce-overhead",
        apply=_compile_with_graphs,
        compiles=True,
        excludes=COMPILED,
        follows="compile",
    ),
    Lever(name="compile generate()", apply=_compile_generation, compiles=True, excludes=COMPILED),
    Lever(
        name="compile max-autotune",
        apply=_compile_with_autotuning,
        compiles=True,
        excludes=COMPILED,
        follows="compile",
        requires="max_autotune",
    ),
)
