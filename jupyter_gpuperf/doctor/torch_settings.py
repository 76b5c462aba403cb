"""torch's switches in the process: what slows it down, or was left over from debugging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.doctor.declaration import (
    IMPORTING_SECONDS,
    Check,
    Outcome,
    broken,
    fine,
    not_known,
    suspect,
)
from jupyter_gpuperf.doctor.looking.imports import torch, without_torch
from jupyter_gpuperf.doctor.looking.machine import Machine
from jupyter_gpuperf.doctor.looking.unset import unset


def _setting(name: str, judge: Callable[[Machine, bool], Outcome]) -> Callable[[Machine], Outcome]:
    def run(machine: Machine) -> Outcome:
        nothing = without_torch(machine)
        if nothing:
            return nothing
        value = torch(machine).get("settings", {}).get(name)
        return not_known("This torch does not tell.") if value is None else judge(machine, value)

    return run


def _cudnn(_: Machine, on: bool) -> Outcome:
    if on:
        return fine("On.")
    return broken(
        "torch.backends.cudnn.enabled is False: convolutions run without cuDNN.",
        fix="torch.backends.cudnn.enabled = True",
        then="Look for the line that turned it off, often left over from debugging.",
    )


def _benchmark(_: Machine, on: bool) -> Outcome:
    if not on:
        return fine("Off: cuDNN chooses by rule, and memory stays the same.")
    return fine(
        "On: each new input shape is searched anew, and the search takes memory. Right for shapes that never change.",
        fix="torch.backends.cudnn.benchmark = False",
        then="Measure both: %gpubench cudnn.",
    )


def _deterministic(machine: Machine, on: bool) -> Outcome:
    cudnn = torch(machine).get("settings", {}).get("cudnn_deterministic")
    if not on and not cudnn:
        return fine("Off.")
    which = "torch.use_deterministic_algorithms" if on else "torch.backends.cudnn.deterministic"
    line = "torch.use_deterministic_algorithms(False)" if on else f"{which} = False"
    return suspect(
        f"{which} is on: slower algorithms are taken so that runs repeat bit by bit.",
        fix=line,
        then="Keep it where runs must repeat.",
    )


def _tf32(machine: Machine, on: bool) -> Outcome:
    override = machine.environment.get("NVIDIA_TF32_OVERRIDE")
    if override == "0":
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


def _anomaly(_: Machine, on: bool) -> Outcome:
    if not on:
        return fine("Off.")
    return suspect(
        "Anomaly detection is on: every backward step is checked and remembered.",
        fix="torch.autograd.set_detect_anomaly(False)",
    )


BACKENDS: Final = "https://pytorch.org/docs/stable/backends.html"


def _check(
    name: str,
    label: str,
    why: str,
    expected: str,
    run: Callable[[Machine], Outcome],
    *,
    article: tuple[str, ...] = (),
    messages: tuple[str, ...] = (),
    link: str = BACKENDS,
) -> Check:
    return Check(
        name=name,
        label=label,
        why=why,
        expected=expected,
        run=run,
        link=link,
        messages=messages,
        article=article,
        seconds=IMPORTING_SECONDS,
    )


CHECKS: Final = (
    _check(
        "cudnn_enabled",
        "cuDNN in use",
        "Without cuDNN, convolutions take several times as long. The switch is for debugging.",
        "torch.backends.cudnn.enabled is True.",
        _setting("cudnn_enabled", _cudnn),
        article=("3.3",),
    ),
    _check(
        "cudnn_benchmark",
        "cuDNN's search",
        "The search pays off where shapes stay the same; where they change, it is repeated and takes memory.",
        "On for fixed shapes, off for ragged ones.",
        _setting("cudnn_benchmark", _benchmark),
        article=("5.3",),
        messages=("CUDA out of memory", "more memory than before"),
    ),
    _check(
        "deterministic",
        "Deterministic algorithms",
        "Results that repeat bit by bit cost speed.",
        "Off, unless runs must repeat.",
        _setting("deterministic", _deterministic),
        messages=("does not have a deterministic implementation",),
        link="https://pytorch.org/docs/stable/notes/randomness.html",
    ),
    _check(
        "tf32",
        "TF32",
        "On Ampere and later, TF32 computes float32 convolutions and products on tensor cores.",
        "On for convolutions.",
        _setting("cudnn_tf32", _tf32),
        link="https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices",
    ),
    _check(
        "anomaly_detection",
        "Anomaly detection",
        "It finds the operation that made a NaN, and slows every step down.",
        "Off, once the NaN is found.",
        _setting("anomaly", _anomaly),
        link="https://pytorch.org/docs/stable/autograd.html#anomaly-detection",
        messages=("Anomaly Detection has been enabled",),
    ),
)
