"""Checks of CUDA's libraries: several toolkits, paths that override torch's own, and what the process has loaded."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.imports import importing_check, libraries, torch, without_torch
from jupyter_gpuperf.checks.probes.installed import canonical, installed, numbers, versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset
from jupyter_gpuperf.messages import Message

CUDA_LIBRARY: Final = re.compile(
    r"(lib(?:cudart|cudnn|cublas|cublasLt|nccl|cufft|cusparse))\.so[.\d]*$"
)
FIRST_SHIM: Final = 12
"""From this version on, the distribution `pynvml` no longer contains its own module of that name."""


@check(
    label="CUDA toolkits",
    why="Several toolkits side by side matter for what is compiled here. torch brings its own CUDA and looks at none of them.",
    expected="What nvcc and CUDA_HOME name is there, and the same.",
    link="https://docs.nvidia.com/cuda/cuda-installation-guide-linux/",
    messages=(
        "The detected CUDA version mismatches the version that was used to compile PyTorch",
        "CUDA_HOME environment variable is not set",
    ),
)
def _cuda_toolkits(machine: Machine) -> Outcome:
    folders = [name for name in machine.names("/usr/local") if re.fullmatch(r"cuda-\d+\.\d+", name)]
    listed = ", ".join(name.removeprefix("cuda-") for name in folders) or "none"
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        home = machine.environment.get(variable)
        if home and not machine.exists(home):
            return suspect(
                Message(
                    "{variable} is {home}, which is not there. Toolkits in /usr/local: {listed}.",
                    variable=variable,
                    home=home,
                    listed=listed,
                ),
                **unset(machine, variable),
            )
    compiler = machine.which("nvcc")
    if compiler is None:
        return fine(
            "Toolkits in /usr/local: {listed}; no nvcc on the PATH. torch needs none.",
            listed=listed,
        )
    used = machine.link(compiler).removesuffix("/bin/nvcc")
    home = machine.environment.get("CUDA_HOME")
    if home and machine.link(home) != used and "cuda" in Path(used).name:
        return suspect(
            "CUDA_HOME is {home}, and nvcc on the PATH is {used}'s: packages that are "
            "compiled take the first, your shell the second.",
            fix=f"export CUDA_HOME={used}",
            home=home,
            used=used,
        )
    return fine(
        "Toolkits in /usr/local: {listed}; nvcc is {used}'s. torch needs none.",
        listed=listed,
        used=used,
    )


@importing_check(
    label="LD_LIBRARY_PATH",
    why="Libraries found there are taken before others: a cuDNN of another version breaks the one that torch brings.",
    expected="No CUDA libraries, and no stubs.",
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
        return fine("Not set; torch needs none.")
    for folder in filter(None, value.split(":")):
        names = machine.names(folder)
        if "stubs" in Path(folder).parts:
            return broken(
                "LD_LIBRARY_PATH holds {folder}: stubs are for linking, and their libcuda does "
                "nothing.",
                fix=f'export LD_LIBRARY_PATH="{without(value, folder)}"',
                folder=folder,
            )
        taken = _taken_from(machine, folder, names)
        if taken:
            return suspect(
                "LD_LIBRARY_PATH holds {folder}, whose {taken} stands before the one that "
                "torch brings.",
                fix=f'export LD_LIBRARY_PATH="{without(value, folder)}"',
                then="Then restart the kernel. torch's packages need no LD_LIBRARY_PATH.",
                folder=folder,
                taken=taken,
            )
    return fine("Nothing in it stands before torch's own libraries.")


def _taken_from(machine: Machine, folder: str, names: list[str]) -> str | None:
    """Return a CUDA library that a folder provides in place of torch's own; ``None`` if there is none."""
    brought = any(each.startswith(("nvidia-cublas", "nvidia-cudnn")) for each in versions(machine))
    if not brought or not any(CUDA_LIBRARY.match(name) for name in names):
        return None
    loaded = chain(*libraries(machine, CUDA_LIBRARY).values())
    real = machine.link(folder)
    taken = [Path(path).name for path in loaded if str(Path(path).parent) == real]
    # cuDNN opens its sub-libraries only when needed, and would then find the wrong ones.
    parts = [name for name in names if name.startswith("libcudnn")]
    return next(iter([*taken, *parts]), None) if torch(machine).get("cuda") else None


def without(path: str, folder: str) -> str:
    """Return a search path with one of its folders removed."""
    return ":".join(each for each in path.split(":") if each != folder)


@importing_check(
    without_torch,
    label="CUDA libraries in the process",
    why="Two copies of one library keep two states: handles of one are refused by the other.",
    expected="Each once.",
    link="https://pytorch.org/docs/stable/notes/cuda.html",
    messages=("CUDNN_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_NOT_INITIALIZED"),
)
def _loaded_libraries(machine: Machine) -> Outcome:
    paths = libraries(machine, CUDA_LIBRARY)
    for name, several in paths.items():
        if len(several) > 1:
            return suspect(
                "{name} is loaded {several_count} times: {several}.",
                fix="unset LD_LIBRARY_PATH",
                then="Then restart the kernel, and see which package brings the other: pip list | grep nvidia.",
                name=name,
                several_count=len(several),
                several=" and ".join(several),
            )
    if not paths:
        return not_known("No library of CUDA is loaded.")
    return fine("{paths_count} libraries of CUDA, each once.", paths_count=len(paths))


@check(
    label="The module pynvml",
    why="Two packages bring a module pynvml. The old one hides NVIDIA's and lacks newer calls.",
    expected="nvidia-ml-py alone.",
    link="https://docs.nvidia.com/deploy/nvml-api/index.html",
    messages=("The pynvml package is deprecated", "module 'pynvml' has no attribute"),
)
def _nvml_module(machine: Machine) -> Outcome:
    shims = [each for each in installed(machine) if canonical(each.name) == "pynvml"]
    ours = versions(machine).get("nvidia-ml-py")
    old = [each for each in shims if numbers(each.version) < (FIRST_SHIM,)]
    if old:
        return suspect(
            "pynvml {version} brings a module pynvml of its own, which hides NVIDIA's ({ours}).",
            fix=f"{machine.pip('uninstall', 'pynvml')}\n{machine.pip('install', '--force-reinstall', 'nvidia-ml-py')}",
            version=old[0].version,
            ours=ours or "not installed",
        )
    for stray in (f"{machine.folder}/pynvml.py", f"{machine.folder}/pynvml/__init__.py"):
        if machine.exists(stray):
            fix = f"mv {stray} {stray}.away"
            return suspect("{stray} hides NVIDIA's module of that name.", fix=fix, stray=stray)
    if ours is None:
        return fine(
            "Neither nvidia-ml-py nor pynvml is installed; torch asks the driver without them."
        )
    return fine("nvidia-ml-py {ours}.", ours=ours)
