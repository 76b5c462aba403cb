"""Checks of PyTorch settings that cost speed or are left over from debugging."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.imports import importing_check, no_torch_outcome, torch_facts
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset_advice

BACKENDS: Final = "https://pytorch.org/docs/stable/backends.html"

_torch_check = partial(importing_check, no_torch_outcome, link=BACKENDS)


def _setting(name: str) -> Callable[[Machine], bool | Outcome]:
    """Return a function for ``@check`` that returns whether a PyTorch setting is on, or an outcome if it is unknown."""

    def is_on(machine: Machine) -> bool | Outcome:
        is_on = torch_facts(machine).get("settings", {}).get(name)
        return not_known("This PyTorch does not report it.") if is_on is None else bool(is_on)

    return is_on


@_torch_check(
    _setting("cudnn_enabled"),
    label="cuDNN",
    why="Without cuDNN, convolutions take several times as long. The switch is for debugging.",
    expected="torch.backends.cudnn.enabled is True.",
)
def _cudnn_enabled(_: Machine, is_on: bool) -> Outcome:
    if is_on:
        return fine("On.")
    return broken(
        "torch.backends.cudnn.enabled is False: convolutions run without cuDNN.",
        fix="torch.backends.cudnn.enabled = True",
        then="Find the line that turned it off; it is often left over from debugging.",
    )


@_torch_check(
    _setting("cudnn_benchmark"),
    label="cuDNN autotuning",
    why="It helps if shapes stay the same. If they change, it repeats its search and uses memory.",
    expected="On for fixed shapes, off for varying ones.",
    messages=("CUDA out of memory", "more memory than before"),
)
def _cudnn_benchmark(_: Machine, is_on: bool) -> Outcome:
    if not is_on:
        return fine("Off: cuDNN chooses algorithms by heuristics; its memory use is constant.")
    return fine(
        "On: each new shape triggers a search, which takes memory. Good for fixed shapes.",
        fix="torch.backends.cudnn.benchmark = False",
        then="To compare on and off, run: %gpubench cudnn",
    )


@_torch_check(
    _setting("deterministic"),
    label="Deterministic algorithms",
    why="Bitwise reproducible results cost speed.",
    expected="Off, unless runs must be reproducible.",
    messages=("does not have a deterministic implementation",),
    link="https://pytorch.org/docs/stable/notes/randomness.html",
)
def _deterministic(machine: Machine, is_on: bool) -> Outcome:
    if is_on:
        setting, off = "torch.use_deterministic_algorithms", "(False)"
    elif torch_facts(machine).get("settings", {}).get("cudnn_deterministic"):
        setting, off = "torch.backends.cudnn.deterministic", " = False"
    else:
        return fine("Off.")
    return suspect(
        "{setting} is on: PyTorch uses slower, reproducible algorithms.",
        fix=f"{setting}{off}",
        then="Keep it if runs must be reproducible.",
        setting=setting,
    )


@_torch_check(
    _setting("cudnn_tf32"),
    label="TF32",
    why="On Ampere and later, TF32 runs float32 convolutions and matrix products on tensor cores.",
    expected="On for convolutions.",
    link="https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices",
)
def _tf32(machine: Machine, is_on: bool) -> Outcome:
    if machine.environment.get("NVIDIA_TF32_OVERRIDE") == "0":
        steps = unset_advice(machine, "NVIDIA_TF32_OVERRIDE")
        return suspect("NVIDIA_TF32_OVERRIDE=0 turns TF32 off for all libraries.", **steps)
    if not is_on:
        found = "cudnn.allow_tf32 is False: float32 convolutions use no tensor cores."
        return suspect(found, fix="torch.backends.cudnn.allow_tf32 = True")
    if torch_facts(machine).get("settings", {}).get("matmul_tf32"):
        return fine("On for convolutions and matrix products.")
    return fine(
        "On for convolutions, off for float32 matrix products (PyTorch's default).",
        fix='torch.set_float32_matmul_precision("high")',
        then="On Ampere and later, this uses tensor cores, with a 10-bit mantissa.",
    )


@_torch_check(
    _setting("anomaly"),
    label="Anomaly detection",
    why="It finds the operation that produced a NaN, but slows every step.",
    expected="Off, once the NaN is found.",
    link="https://pytorch.org/docs/stable/autograd.html#anomaly-detection",
    messages=("Anomaly Detection has been enabled",),
)
def _anomaly_detection(_: Machine, is_on: bool) -> Outcome:
    if not is_on:
        return fine("Off.")
    fix = "torch.autograd.set_detect_anomaly(False)"
    return suspect("On: PyTorch checks and records every backward step.", fix=fix)
