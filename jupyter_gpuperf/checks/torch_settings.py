"""Checks of torch's settings in the process: those that slow it down, or were left over from debugging."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.imports import importing_check, torch, without_torch
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset

BACKENDS: Final = "https://pytorch.org/docs/stable/backends.html"


_torch_check = partial(importing_check, without_torch, link=BACKENDS)


def _switch(name: str) -> Callable[[Machine], bool | Outcome]:
    """Return a function that returns whether one of torch's settings is on."""

    def is_on(machine: Machine) -> bool | Outcome:
        on = torch(machine).get("settings", {}).get(name)
        return not_known("This torch does not tell.") if on is None else bool(on)

    return is_on


@_torch_check(
    _switch("cudnn_enabled"),
    label="cuDNN in use",
    why="Without cuDNN, convolutions take several times as long. The switch is for debugging.",
    expected="torch.backends.cudnn.enabled is True.",
)
def _cudnn_enabled(_: Machine, on: bool) -> Outcome:
    if on:
        return fine("On.")
    return broken(
        "torch.backends.cudnn.enabled is False: convolutions run without cuDNN.",
        fix="torch.backends.cudnn.enabled = True",
        then="Look for the line that turned it off, often left over from debugging.",
    )


@_torch_check(
    _switch("cudnn_benchmark"),
    label="cuDNN's search",
    why="The search pays off where shapes stay the same; where they change, it is repeated and takes memory.",
    expected="On for fixed shapes, off for ragged ones.",
    messages=("CUDA out of memory", "more memory than before"),
)
def _cudnn_benchmark(_: Machine, on: bool) -> Outcome:
    if not on:
        return fine("Off: cuDNN chooses by rule, and memory stays the same.")
    return fine(
        "On: each new input shape is searched anew, and the search takes memory. Right for shapes that never change.",
        fix="torch.backends.cudnn.benchmark = False",
        then="Measure both: %gpubench cudnn.",
    )


@_torch_check(
    _switch("deterministic"),
    label="Deterministic algorithms",
    why="Results that repeat bit by bit cost speed.",
    expected="Off, unless runs must repeat.",
    messages=("does not have a deterministic implementation",),
    link="https://pytorch.org/docs/stable/notes/randomness.html",
)
def _deterministic(machine: Machine, on: bool) -> Outcome:
    cudnn = torch(machine).get("settings", {}).get("cudnn_deterministic")
    if not on and not cudnn:
        return fine("Off.")
    which = "torch.use_deterministic_algorithms" if on else "torch.backends.cudnn.deterministic"
    return suspect(
        "{which} is on: slower algorithms are taken so that runs repeat bit by bit.",
        fix=f"{which}(False)" if on else f"{which} = False",
        then="Keep it where runs must repeat.",
        which=which,
    )


@_torch_check(
    _switch("cudnn_tf32"),
    label="TF32",
    why="On Ampere and later, TF32 computes float32 convolutions and products on tensor cores.",
    expected="On for convolutions.",
    link="https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices",
)
def _tf32(machine: Machine, on: bool) -> Outcome:
    if machine.environment.get("NVIDIA_TF32_OVERRIDE") == "0":
        return suspect(
            "NVIDIA_TF32_OVERRIDE=0 turns TF32 off for every library.",
            **unset(machine, "NVIDIA_TF32_OVERRIDE"),
        )
    if not on:
        return suspect(
            "torch.backends.cudnn.allow_tf32 is False: convolutions in float32 leave the tensor cores idle.",
            fix="torch.backends.cudnn.allow_tf32 = True",
        )
    if torch(machine).get("settings", {}).get("matmul_tf32"):
        return fine("On for convolutions and matrix products.")
    return fine(
        "On for convolutions; matrix products in float32 are exact, as torch has it by default.",
        fix='torch.set_float32_matmul_precision("high")',
        then="On Ampere and later this computes float32 products on tensor cores, with ten bits of mantissa.",
    )


@_torch_check(
    _switch("anomaly"),
    label="Anomaly detection",
    why="It finds the operation that made a NaN, and slows every step down.",
    expected="Off, once the NaN is found.",
    link="https://pytorch.org/docs/stable/autograd.html#anomaly-detection",
    messages=("Anomaly Detection has been enabled",),
)
def _anomaly_detection(_: Machine, on: bool) -> Outcome:
    if not on:
        return fine("Off.")
    return suspect(
        "Anomaly detection is on: every backward step is checked and remembered.",
        fix="torch.autograd.set_detect_anomaly(False)",
    )
