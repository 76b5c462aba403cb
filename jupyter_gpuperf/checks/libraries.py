"""Checks of CUDA libraries: installed toolkits, copies that override PyTorch's own, and loaded duplicates."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.imports import (
    importing_check,
    loaded_libraries,
    no_torch_outcome,
    torch_facts,
)
from jupyter_gpuperf.checks.probes.installed import canonical, installed, version_numbers, versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset_advice

CUDA_LIBRARY: Final = re.compile(
    r"(lib(?:cudart|cudnn|cublas|cublasLt|nccl|cufft|cusparse))\.so[.\d]*$"
)
FIRST_SHIM: Final = 12
"""From this major version on, the package ``pynvml`` no longer contains its own ``pynvml`` module."""


@check(
    label="CUDA toolkits",
    why="They matter only for compiling packages. PyTorch ships its own CUDA.",
    expected="nvcc and CUDA_HOME belong to the same toolkit.",
    link="https://docs.nvidia.com/cuda/cuda-installation-guide-linux/",
    messages=(
        "The detected CUDA version mismatches the version that was used to compile PyTorch",
        "CUDA_HOME environment variable is not set",
    ),
)
def _cuda_toolkits(machine: Machine) -> Outcome:
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        home = machine.environment.get(variable)
        if home and not machine.exists(home):
            values = {"variable": variable, "home": home, **unset_advice(machine, variable)}
            return suspect("{variable} is {home}, which does not exist.", **values)
    folders = filter(re.compile(r"cuda-\d+\.\d+").fullmatch, machine.listdir("/usr/local"))
    installed = ", ".join(name.removeprefix("cuda-") for name in folders) or "–"
    compiler = machine.which("nvcc")
    if compiler is None:
        return fine("In /usr/local: {installed}. nvcc is not on the PATH.", installed=installed)
    toolkit = machine.realpath(compiler).removesuffix("/bin/nvcc")
    home = machine.environment.get("CUDA_HOME")
    if home and machine.realpath(home) != toolkit and "cuda" in Path(toolkit).name:
        return suspect(
            "CUDA_HOME is {home}, but the shell uses nvcc from {toolkit}.",
            fix=f"export CUDA_HOME={quote(toolkit)}",
            then="Compiled packages use CUDA_HOME.",
            home=home,
            toolkit=toolkit,
        )
    found = "In /usr/local: {installed}. nvcc is from {toolkit}."
    return fine(found, installed=installed, toolkit=toolkit)


@importing_check(
    label="LD_LIBRARY_PATH",
    why="Its libraries are loaded first: another cuDNN breaks PyTorch's own.",
    expected="No CUDA libraries and no stubs.",
    link="https://man7.org/linux/man-pages/man8/ld.so.8.html",
    messages=(
        "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH",
        "CUDA driver library is a stub",
        "undefined symbol: cublasLtGetStatusString",
        "cuDNN version incompatibility: PyTorch was compiled against",
    ),
)
def _library_path(machine: Machine) -> Outcome:
    value = machine.environment.get("LD_LIBRARY_PATH", "")
    if not value:
        return fine("Not set; PyTorch does not need it.")
    folders = value.split(":")
    for folder in filter(None, folders):
        others = ":".join(each for each in folders if each != folder)
        fix = f"export LD_LIBRARY_PATH={quote(others)}"
        if "stubs" in Path(folder).parts:
            found = "The stubs in {folder} are only for linking; their libcuda does nothing."
            return broken(found, fix=fix, folder=folder)
        if library := _overriding_library(machine, folder):
            return suspect(
                "{library} in {folder} overrides PyTorch's own.",
                fix=fix,
                then="Then restart the kernel. PyTorch does not need LD_LIBRARY_PATH.",
                library=library,
                folder=folder,
            )
    return fine("No folder overrides PyTorch's libraries.")


def _overriding_library(machine: Machine, folder: str) -> str | None:
    """Return a CUDA library in ``folder`` that overrides PyTorch's own; ``None`` if there is none."""
    names = machine.listdir(folder)
    bundled = any(each.startswith(("nvidia-cublas", "nvidia-cudnn")) for each in versions(machine))
    if not (bundled and any(map(CUDA_LIBRARY.match, names)) and torch_facts(machine).get("cuda")):
        return None
    loaded = map(Path, chain(*loaded_libraries(machine, CUDA_LIBRARY).values()))
    overriding = [path.name for path in loaded if str(path.parent) == machine.realpath(folder)]
    # cuDNN opens its sub-libraries only when needed, and would then find those in this folder.
    overriding += [name for name in names if name.startswith("libcudnn")]
    return next(iter(overriding), None)


@importing_check(
    no_torch_outcome,
    label="Loaded CUDA libraries",
    why="Two copies of a library have separate states: one rejects the other's handles.",
    expected="One copy of each.",
    link="https://pytorch.org/docs/stable/notes/cuda.html",
    messages=("CUDNN_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_NOT_INITIALIZED"),
)
def _loaded_libraries(machine: Machine) -> Outcome:
    loaded = loaded_libraries(machine, CUDA_LIBRARY)
    for name, paths in loaded.items():
        if len(paths) > 1:
            return suspect(
                "{name} is loaded more than once: {paths}.",
                fix="unset LD_LIBRARY_PATH",
                then="Then restart the kernel. To find the packages: pip list | grep nvidia",
                name=name,
                paths=paths,
            )
    if not loaded:
        return not_known("No CUDA library is loaded.")
    return fine("One copy of each. Libraries: {count}.", count=len(loaded))


@check(
    label="pynvml module",
    why="Two packages provide pynvml. The old one hides NVIDIA's, but has no newer functions.",
    expected="Only nvidia-ml-py.",
    link="https://docs.nvidia.com/deploy/nvml-api/index.html",
    messages=("The pynvml package is deprecated", "module 'pynvml' has no attribute"),
)
def _nvml_module(machine: Machine) -> Outcome:
    for each in installed(machine):
        if canonical(each.name) == "pynvml" and version_numbers(each.version) < (FIRST_SHIM,):
            return suspect(
                "pynvml {version} hides NVIDIA's module of that name.",
                fix=machine.replacement_commands(["pynvml"], "--force-reinstall nvidia-ml-py"),
                version=each.version,
            )
    for path in (f"{machine.folder}/pynvml.py", f"{machine.folder}/pynvml/__init__.py"):
        if machine.exists(path):
            fix = f"mv {quote(path)} {quote(path)}.away"
            return suspect("{path} hides NVIDIA's module of that name.", fix=fix, path=path)
    if version := versions(machine).get("nvidia-ml-py"):
        return fine("nvidia-ml-py {version}.", version=version)
    return fine("Neither nvidia-ml-py nor pynvml is installed; PyTorch does not need them.")
