"""Checks of torch's CUDA against the driver and the devices, and of packages compiled against torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import cuda_versions as known
from jupyter_gpuperf.checks.probes import gpus as look
from jupyter_gpuperf.checks.probes.imports import imported, importing_check, torch, without_torch
from jupyter_gpuperf.checks.probes.installed import Conflict, canonical, conflicts, numbers
from jupyter_gpuperf.checks.probes.machine import Machine

ON_TORCH: Final = frozenset(
    {"torchvision", "torchaudio", "torchtext", "xformers", "flash-attn", "triton", "apex", "torch"}
)


TORCH: Final = "https://pytorch.org/get-started/locally/"

_gpu_and_torch_check = partial(importing_check, look.without_gpu, without_torch)


@importing_check(
    label="torch can be imported",
    why="A torch whose import fails is not there.",
    expected="import torch succeeds.",
    link=TORCH,
    messages=(
        "ImportError: libcudnn.so",
        "OSError: libcublas.so: cannot open shared object file",
        "undefined symbol: ncclCommRegister",
    ),
)
def _torch_imports(machine: Machine) -> Outcome:
    facts = torch(machine)
    error = facts.get("error")
    if error == "missing":
        return not_known("torch is not installed in this environment.")
    if error:
        reinstall = machine.pip("install", "--force-reinstall", "torch")
        return broken("import torch fails: {error}", fix=reinstall, error=error)
    if "seconds" not in facts:
        return fine(
            "torch {version} is loaded in the notebook's process.", version=facts["version"]
        )
    return fine(
        "torch {version}, imported in {seconds:.1f} s.",
        version=facts["version"],
        seconds=facts["seconds"],
    )


@_gpu_and_torch_check(
    label="torch is built with CUDA",
    why="A torch without CUDA computes on the processor, however good the GPU is.",
    expected="A build for CUDA where there is an NVIDIA GPU.",
    link=TORCH,
    messages=(
        "AssertionError: Torch not compiled with CUDA enabled",
        "torch.cuda.is_available() returns False",
    ),
)
def _torch_build(machine: Machine) -> Outcome:
    facts = torch(machine)
    if facts.get("cuda"):
        return fine(
            "torch {version} is built for CUDA {cuda}.",
            version=facts["version"],
            cuda=facts["cuda"],
        )
    fix = known.torch_line(machine)
    if facts.get("hip"):
        return broken("torch {version} is built for AMD's GPUs.", fix=fix, version=facts["version"])
    return broken(
        "torch {version} is built without CUDA: everything runs on the processor.",
        fix=fix,
        version=facts["version"],
    )


@_gpu_and_torch_check(
    label="Driver new enough for torch",
    why="torch brings its own CUDA; the driver must be new enough for it. The toolkit in /usr/local does not matter.",
    expected="A driver that runs torch's CUDA.",
    link="https://docs.nvidia.com/deploy/cuda-compatibility/",
    messages=(
        "CUDA driver version is insufficient for CUDA runtime version",
        "The NVIDIA driver on your system is too old",
    ),
)
def _driver_for_torch(machine: Machine) -> Outcome:
    cuda, driver = torch(machine).get("cuda"), look.driver_version(machine)
    if not cuda or not driver:
        return not_known("There is no CUDA of torch, or no driver, to compare.")
    started = look.cuda(machine)
    if started.get("code") == 0 and numbers(str(started.get("driver", ""))) >= numbers(cuda):
        return fine(
            "torch's CUDA {cuda}, the driver {driver} gives CUDA {driver_2}.",
            cuda=cuda,
            driver=driver,
            driver_2=started["driver"],
        )
    enough = known.runs(cuda, driver)
    if enough is None:
        return not_known("CUDA {cuda} is not known here.", cuda=cuda)
    if enough:
        return fine(
            "torch's CUDA {cuda} is newer than that of the driver {driver}, and runs on it "
            "by minor-version compatibility.",
            cuda=cuda,
            driver=driver,
        )
    return broken(
        "torch's CUDA {cuda} needs a driver of {cuda_2} or newer; this is {driver}.",
        fix=known.torch_line(machine),
        then="Or update the driver, and keep this torch.",
        cuda=cuda,
        cuda_2=known.lowest_driver(cuda),
        driver=driver,
    )


@_gpu_and_torch_check(
    label="torch sees the GPU",
    why="When torch sees no device, code that asks politely falls back to the processor and says nothing.",
    expected="torch.cuda.is_available() is true.",
    link="https://pytorch.org/docs/stable/notes/cuda.html",
    messages=("No CUDA GPUs are available", "Found no NVIDIA driver on your system"),
)
def _torch_sees_gpu(machine: Machine) -> Outcome:
    facts = torch(machine)
    if not facts.get("cuda"):
        return not_known("This torch is built without CUDA.")
    if facts.get("initialized"):
        return fine("The notebook's process uses CUDA already.")
    if "available" not in facts:
        return not_known("The notebook has not started CUDA yet; asking would start it.")
    if facts["available"]:
        return fine(
            "torch.cuda.is_available() is true, with {value} devices.", value=facts["count"]
        )
    if machine.environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return not_known(
            "CUDA_VISIBLE_DEVICES hides every device; the check of that variable says more."
        )
    reasons = [each for each in facts.get("warnings", []) if "CUDA" in each]
    return broken(
        "torch.cuda.is_available() is false: {reasons}",
        fix=f'{machine.interpreter} -c "import torch; torch.zeros(1).cuda()"',
        then="That line prints the whole error.",
        reasons=reasons[0] if reasons else "it gives no reason",
    )


@_gpu_and_torch_check(
    label="torch is built for this GPU",
    why="A build holds code for some generations of GPUs; on others it fails, or is compiled anew at each start.",
    expected="The device's architecture is in torch's list.",
    link="https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities",
    messages=(
        "no kernel image is available for execution on the device",
        "is not compatible with the current PyTorch installation",
    ),
)
def _compute_capability(machine: Machine) -> Outcome:
    built_for = [str(each) for each in torch(machine).get("architectures", [])]
    devices = [(each, cap) for each in look.gpus(machine) if (cap := each.word("compute_cap"))]
    if not built_for or not devices:
        return not_known("The list of torch's architectures, or the device's own, is not known.")
    listed = " ".join(built_for)
    fix = known.torch_line(machine)
    for device, capability in devices:
        match runs_on(built_for, numbers(capability)):
            case "no":
                return broken(
                    "{name} has compute capability {capability}; this torch is built for {listed}.",
                    fix=fix,
                    name=device.name,
                    capability=capability,
                    listed=listed,
                )
            case "ptx":
                return suspect(
                    "{name} ({capability}) runs only what is compiled at start; this torch is "
                    "built for {listed}.",
                    fix=fix,
                    name=device.name,
                    capability=capability,
                    listed=listed,
                )
    shown = ", ".join(sorted({capability for _, capability in devices}))
    return fine("Compute capability {shown}; built for {listed}.", shown=shown, listed=listed)


def runs_on(built_for: Sequence[str], capability: tuple[int, ...]) -> str:
    """Return how code built for these architectures runs on a device: ``yes``, as ``ptx``, or ``no``."""
    ptx = False
    for each in built_for:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", each)
        if found is None:
            continue
        kind, major, minor, suffix = found[1], int(found[2]), int(found[3]), found[4]
        same_family = major == capability[0] and minor <= capability[1]
        if kind == "sm" and ((major, minor) == capability if suffix == "a" else same_family):
            return "yes"
        ptx |= kind == "compute" and not suffix and (major, minor) <= capability
    return "ptx" if ptx else "no"


@importing_check(
    without_torch,
    label="Packages compiled against torch",
    why="torchvision, xFormers, flash-attention, apex and Triton work with the torch that they were built for alone.",
    expected="All of them fit the torch that is here.",
    link="https://github.com/pytorch/pytorch/wiki/PyTorch-Versions",
    messages=(
        "undefined symbol: _ZN3c10",
        "operator torchvision::nms does not exist",
        "xFormers can't load C++/CUDA extensions",
    ),
)
def _built_on_torch(machine: Machine) -> Outcome:
    wrong = [each for each in conflicts(machine) or [] if is_about_torch(each)]
    if wrong:
        first, packages = wrong[0], dict.fromkeys(each.package for each in wrong)
        return broken(
            "{package} {version} needs {needs}, and {name} {value} is here.",
            fix=machine.pip("install", "--upgrade", *packages, "torch"),
            package=first.package,
            version=first.version,
            needs=first.needs,
            name=first.name,
            value=first.found or "missing",
        )
    for name, error in imported(machine).get("built_on_torch", {}).items():
        return broken(
            "{name} is built for another torch: {error}",
            fix=machine.pip("install", "--force-reinstall", "--no-deps", name),
            name=name,
            error=error,
        )
    return fine("What is compiled against torch fits it, or there is none.")


def is_about_torch(conflict: Conflict) -> bool:
    """Return whether a conflict is between torch and a package compiled against it."""
    return {canonical(conflict.package), canonical(conflict.name)} <= ON_TORCH
