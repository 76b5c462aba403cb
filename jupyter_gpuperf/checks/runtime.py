"""Checks that PyTorch's CUDA works with the driver and the GPUs, and that other packages fit PyTorch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import cuda_versions, gpus, server
from jupyter_gpuperf.checks.probes.imports import (
    import_facts,
    importing_check,
    no_torch_outcome,
    torch_facts,
)
from jupyter_gpuperf.checks.probes.installed import Conflict, canonical, conflicts, version_numbers
from jupyter_gpuperf.checks.probes.machine import Machine

TORCH_PACKAGES: Final = frozenset(
    {"torchvision", "torchaudio", "torchtext", "xformers", "flash-attn", "triton", "apex", "torch"}
)
COMPILED_HERE: Final = {
    "flash_attn_2_cuda": "flash-attn",
    "apex_C": "git+https://github.com/NVIDIA/apex",
    "amp_C": "git+https://github.com/NVIDIA/apex",
    "causal_conv1d_cuda": "causal-conv1d",
    "selective_scan_cuda": "mamba-ssm",
}
"""Module → the package that contains it, of packages that are compiled when they are installed. PyPI's apex is another
package."""
COMPILE_AGAIN: Final = ("--no-cache-dir", "--no-build-isolation")
"""pip's options that compile a package for the installed PyTorch, instead of using the wheel of an earlier one."""
INSTALLATION: Final = "https://pytorch.org/get-started/locally/"

_gpu_and_torch_check = partial(importing_check, gpus.no_gpu_outcome, no_torch_outcome)


@importing_check(
    label="PyTorch import",
    why="Nothing that uses PyTorch works if its import fails.",
    expected="import torch succeeds.",
    link=INSTALLATION,
    messages=(
        "ImportError: libcudnn.so",
        "OSError: libcublas.so: cannot open shared object file",
        "undefined symbol: ncclCommRegister",
    ),
)
def _torch_imports(machine: Machine) -> Outcome:
    facts = torch_facts(machine)
    error = facts.get("error")
    if error == "missing":
        return _no_torch(machine)
    if error:
        reinstall = machine.pip_command("install", "--force-reinstall", "torch")
        return broken("import torch fails: {error}", fix=reinstall, error=error)
    if "seconds" not in facts:
        return fine("The notebook has loaded PyTorch {version}.", version=facts["version"])
    return fine("PyTorch {version}, imported in {seconds:.1f} s.", **facts)


def _no_torch(machine: Machine) -> Outcome:
    """Return a warning, except for a server whose notebooks run in other environments."""
    is_kernel = bool(machine.live or machine.kernel_name)
    if not is_kernel and server.has_other_pythons(machine):
        then = "Kernels have their own: choose one, in a shell with --kernel NAME."
        return not_known("PyTorch is not installed in the server's Python.", then=then)
    fix = cuda_versions.torch_install_commands(machine) or machine.pip_command("install", "torch")
    return suspect("PyTorch is not installed for {python}.", fix=fix, python=machine.interpreter)


@_gpu_and_torch_check(
    label="PyTorch build",
    why="A PyTorch build without CUDA runs everything on the CPU.",
    expected="A CUDA build if there is an NVIDIA GPU.",
    link=INSTALLATION,
    messages=(
        "AssertionError: Torch not compiled with CUDA enabled",
        "torch.cuda.is_available() returns False",
    ),
)
def _torch_build(machine: Machine) -> Outcome:
    facts = torch_facts(machine)
    if facts.get("cuda"):
        return fine("PyTorch {version} is built for CUDA {cuda}.", **facts)
    fix, version = cuda_versions.torch_install_commands(machine), facts["version"]
    if facts.get("hip"):
        return broken("PyTorch {version} is built for AMD GPUs.", fix=fix, version=version)
    return broken(
        "PyTorch {version} is built without CUDA: it runs on the CPU.", fix=fix, version=version
    )


@_gpu_and_torch_check(
    label="Driver for PyTorch",
    why="PyTorch ships its own CUDA and ignores /usr/local. The driver must support that CUDA.",
    expected="A driver that runs PyTorch's CUDA.",
    link="https://docs.nvidia.com/deploy/cuda-compatibility/",
    messages=(
        "CUDA driver version is insufficient for CUDA runtime version",
        "The NVIDIA driver on your system is too old",
    ),
)
def _driver_for_torch(machine: Machine) -> Outcome:
    cuda, driver = torch_facts(machine).get("cuda"), gpus.driver_version(machine)
    if not cuda:
        return not_known("This PyTorch is built without CUDA.")
    started, values = gpus.cuda_facts(machine), {"cuda": cuda, "driver": driver}
    supported = str(started.get("driver", ""))
    if started.get("code") == 0 and version_numbers(supported) >= version_numbers(cuda):
        found = "PyTorch uses CUDA {cuda}; driver {driver} supports CUDA {supported}."
        if driver is None:
            found = "PyTorch uses CUDA {cuda}; the driver supports CUDA {supported}."
        return fine(found, supported=supported, **values)
    if driver is None:
        return not_known("The driver's version is unknown.")
    lowest = cuda_versions.lowest_driver(cuda)
    if lowest is None:
        return not_known("CUDA {cuda} is unknown to this check.", cuda=cuda)
    if version_numbers(driver) >= version_numbers(lowest):
        found = "PyTorch's CUDA {cuda} runs on driver {driver} through minor-version compatibility."
        return fine(found, **values)
    return broken(
        "PyTorch's CUDA {cuda} needs driver {lowest} or newer; this is {driver}.",
        fix=cuda_versions.torch_install_commands(machine),
        then="Or update the driver and keep this PyTorch.",
        lowest=lowest,
        **values,
    )


@_gpu_and_torch_check(
    label="GPU in PyTorch",
    why="If PyTorch finds no GPU, most code silently runs on the CPU.",
    expected="torch.cuda.is_available() is True.",
    link="https://pytorch.org/docs/stable/notes/cuda.html",
    messages=("No CUDA GPUs are available", "Found no NVIDIA driver on your system"),
)
def _torch_sees_gpu(machine: Machine) -> Outcome:
    facts = torch_facts(machine)
    if not facts.get("cuda"):
        return not_known("This PyTorch is built without CUDA.")
    if facts.get("initialized"):
        return fine("The notebook already uses CUDA.")
    if "available" not in facts:
        return not_known("The notebook has not initialized CUDA; this check would do so.")
    if facts["available"]:
        return fine("torch.cuda.is_available() is True. GPUs: {count}.", **facts)
    if machine.environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return gpus.ALL_HIDDEN
    reasons = [each for each in facts.get("warnings", []) if "CUDA" in each]
    return broken(
        "torch.cuda.is_available() is False: {reason}"
        if reasons
        else "torch.cuda.is_available() is False.",
        fix=f'{quote(machine.interpreter)} -c "import torch; torch.zeros(1).cuda()"',
        then="This command prints the full error.",
        reason="".join(reasons[:1]),
    )


@_gpu_and_torch_check(
    label="Compute capability",
    why="A PyTorch build supports some GPU generations. On others, it fails or compiles at start.",
    expected="The GPU's architecture is in PyTorch's list.",
    link="https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities",
    messages=(
        "no kernel image is available for execution on the device",
        "is not compatible with the current PyTorch installation",
    ),
)
def _compute_capability(machine: Machine) -> Outcome:
    architectures = [str(each) for each in torch_facts(machine).get("architectures", [])]
    capabilities = [(each, cap) for each in gpus.gpus(machine) if (cap := each.text("compute_cap"))]
    if not architectures or not capabilities:
        return not_known("The architectures of PyTorch or of the GPU are unknown.")
    fix, built_for = cuda_versions.torch_install_commands(machine), " ".join(architectures)
    for gpu, capability in capabilities:
        values = {"name": gpu.name, "capability": capability, "built_for": built_for}
        support = binary_support(architectures, version_numbers(capability))
        if support == "no":
            found = "{name} has compute capability {capability}; PyTorch is built for {built_for}."
            return broken(found, fix=fix, **values)
        if support == "ptx":
            found = "{name} ({capability}) compiles at start; PyTorch is built for {built_for}."
            return suspect(found, fix=fix, **values)
    return fine(
        "Compute capability {capabilities}; built for {built_for}.",
        capabilities=sorted({capability for _, capability in capabilities}),
        built_for=built_for,
    )


def binary_support(architectures: Sequence[str], capability: tuple[int, ...]) -> str:
    """Return how a device can run code built for these architectures.

    ``yes``: directly; ``ptx``: the driver must compile the code first; ``no``: not at all.
    """
    ptx = False
    for each in architectures:
        parts = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", each)
        if parts is None:
            continue
        kind, major, minor, suffix = parts[1], int(parts[2]), int(parts[3]), parts[4]
        same_family = major == capability[0] and minor <= capability[1]
        if kind == "sm" and ((major, minor) == capability if suffix == "a" else same_family):
            return "yes"
        ptx |= kind == "compute" and not suffix and (major, minor) <= capability
    return "ptx" if ptx else "no"


@importing_check(
    no_torch_outcome,
    label="Packages built on PyTorch",
    why="Packages such as torchvision, xFormers or Triton need the PyTorch they were built for.",
    expected="All fit the installed PyTorch.",
    link="https://github.com/pytorch/pytorch/wiki/PyTorch-Versions",
    messages=(
        "undefined symbol: _ZN3c10",
        "operator torchvision::nms does not exist",
        "xFormers can't load C++/CUDA extensions",
    ),
)
def _built_on_torch(machine: Machine) -> Outcome:
    if wrong := [each for each in conflicts(machine) or [] if is_about_torch(each)]:
        packages = dict.fromkeys(each.package for each in wrong)
        fix = machine.pip_command("install", "--upgrade", *packages, "torch")
        return broken(wrong[0].message, fix=fix)
    for name, error in import_facts(machine).get("built_on_torch", {}).items():
        how = COMPILE_AGAIN if name in COMPILED_HERE else ()
        package = COMPILED_HERE.get(name, name)
        fix = machine.pip_command("install", "--force-reinstall", "--no-deps", *how, package)
        return broken(
            "{name} is built for another PyTorch: {error}", fix=fix, name=name, error=error
        )
    return fine("No package conflicts with PyTorch.")


def is_about_torch(conflict: Conflict) -> bool:
    """Return whether a conflict is between PyTorch and a package compiled against it."""
    return {canonical(conflict.package), canonical(conflict.required_package)} <= TORCH_PACKAGES
