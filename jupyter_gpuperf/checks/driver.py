"""Checks of the driver: it is installed, loaded, of one version, responds, and can start CUDA."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known
from jupyter_gpuperf.checks.probes import gpus as look
from jupyter_gpuperf.checks.probes.flags import lines_for
from jupyter_gpuperf.checks.probes.imports import importing_check
from jupyter_gpuperf.checks.probes.limits import container
from jupyter_gpuperf.checks.probes.machine import Machine

RELOAD: Final = "sudo rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia && sudo modprobe nvidia"
WITH_DRIVER: Final = ("--gpus all", "-e NVIDIA_DRIVER_CAPABILITIES=compute,utility")
"""The flags that give a container the driver."""
CUDA_ERRORS: Final = {
    802: "sudo systemctl restart nvidia-fabricmanager",
    803: RELOAD,
    999: "sudo modprobe nvidia_uvm",
}
"""The command that fixes each error of cuInit, by CUDA's error number."""


INSTALLING: Final = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


@check(
    look.without_gpu,
    label="A GPU is there",
    why="Without a device that the system sees, everything runs on the processor.",
    expected="At least one device of NVIDIA.",
    link=INSTALLING,
    messages=("No devices were found",),
    seconds=look.SECONDS,
)
def _gpu_present(machine: Machine) -> Outcome:
    addresses = look.on_the_bus(machine)
    names = [each.name for each in look.gpus(machine)]
    if names:
        return fine(f"{', '.join(names)}.", names=", ".join(names))
    if addresses:
        return fine("On the PCI bus at {addresses}.", addresses=", ".join(addresses))
    return broken(
        "The driver is loaded, and shows no GPU.",
        fix="sudo dmesg | grep -i nvrm | tail",
        then="It fell off the bus, is held by another system, or this container may not use it.",
    )


@check(
    look.without_gpu,
    label="Driver loaded",
    why="Without the driver's module in the kernel, no program reaches the GPU.",
    expected="The module nvidia is loaded.",
    link=INSTALLING,
    messages=("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver",),
)
def _driver_loaded(machine: Machine) -> Outcome:
    version = look.kernel_driver(machine)
    if version:
        return fine("Kernel module {version}.", version=version)
    if look.gpus(machine):
        return fine("nvidia-smi reaches it; its version is not shown here.")
    if container(machine):
        return broken(
            "There is a GPU on the PCI bus, and its driver is not loaded on the machine around this container.",
            fix="sudo modprobe nvidia",
            then="Type it on the machine itself, not in the container.",
        )
    return broken(
        "There is a GPU on the PCI bus, and its driver is not loaded.",
        fix="sudo modprobe nvidia",
        then="If that says that there is no such module: install the driver with your distribution's packages.",
    )


@check(
    label="Driver's module and library",
    why="The driver refuses to talk to a library of another version: nothing sees the GPU until both are the same.",
    expected="One version.",
    link=INSTALLING,
    messages=(
        "Failed to initialize NVML: Driver/library version mismatch",
        "system has unsupported display driver / cuda driver combination",
    ),
    seconds=look.SECONDS,
)
def _driver_versions(machine: Machine) -> Outcome:
    module, ran = look.kernel_driver(machine), look.smi(machine)
    if module is None and not look.gpus(machine):
        return not_known("There is no driver here.")
    said = ran.out + ran.err
    found = re.search(r"library version:?\s*([\d.]+)", said)
    if "version mismatch" in said:
        library = found[1].rstrip(".") if found else "another"
        return broken(
            "Kernel module {module}, library {library}: the driver was updated while the "
            "old one runs.",
            fix=f"sudo reboot\n# or, when nothing uses the GPU:\n{RELOAD}",
            module=module or "of another version",
            library=library,
        )
    versions = [word for each in look.gpus(machine) if (word := each.word("driver_version"))]
    return (
        fine("Both {versions}.", versions=versions[0])
        if versions
        else not_known("nvidia-smi tells no version.")
    )


@check(
    look.without_gpu,
    label="Driver answers",
    why="A driver that does not answer makes every CUDA program hang or fail.",
    expected="nvidia-smi lists the devices.",
    link="https://docs.nvidia.com/deploy/nvidia-smi/",
    messages=(
        "NVIDIA-SMI has failed",
        "Unable to determine the device handle for GPU",
        "nvidia-smi: command not found",
    ),
    seconds=look.SECONDS,
)
def _driver_answers(machine: Machine) -> Outcome:
    if look.gpus(machine):
        return fine("nvidia-smi answers.")
    ran = look.smi(machine)
    if machine.which("nvidia-smi") is None:
        if container(machine):
            return broken(
                "There is no nvidia-smi in this container: it was started without the driver's tools.",
                fix=lines_for(machine, *WITH_DRIVER),
            )
        return broken(
            "There is no nvidia-smi: the driver is not installed, or its tools are not.",
            fix="apt-cache search nvidia-driver",
        )
    if ran.code is None:
        return broken(
            "nvidia-smi did not answer within {seconds:.0f} s.",
            fix="sudo dmesg | grep -i -e nvrm -e xid | tail",
            then="A device that hangs comes back with a reset or a reboot.",
            seconds=look.SECONDS,
        )
    last = (ran.out + ran.err).strip().splitlines()[-1:] or ["nothing"]
    return broken("nvidia-smi says: {last}", fix="sudo dmesg | grep -i nvrm | tail", last=last[0])


@importing_check(
    look.without_gpu,
    label="CUDA starts",
    why="torch.cuda.is_available() is false, whatever is installed, when the driver's own CUDA does not start.",
    expected="cuInit succeeds.",
    link="https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html",
    messages=(
        "CUDA unknown error - this may be due to an incorrectly set up environment",
        "Error 802: system not yet initialized",
        "Error 803: system has unsupported display driver / cuda driver combination",
        "Error 804: forward compatibility was attempted on non supported HW",
        "libcuda.so.1: cannot open shared object file",
    ),
)
def _cuda_starts(machine: Machine) -> Outcome:
    found = look.cuda(machine)
    if why := found.get("missing"):
        if container(machine):
            return broken(
                "libcuda can't be loaded in this container: {why}",
                fix=lines_for(machine, *WITH_DRIVER),
                why=why,
            )
        return broken(
            "libcuda can't be loaded: {why}",
            fix="ldconfig -p | grep libcuda",
            then="It comes with the driver, not with the CUDA toolkit: install the driver again.",
            why=why,
        )
    code = found.get("code")
    if code == 100 and machine.environment.get("CUDA_VISIBLE_DEVICES") is not None:
        return not_known(
            "CUDA_VISIBLE_DEVICES hides every device; the check of that variable says more."
        )
    if code != 0:
        return broken(
            "cuInit gives {value} ({value_2}).",
            fix=CUDA_ERRORS.get(int(code or 0), "sudo dmesg | grep -i nvrm | tail"),
            value=found.get("name"),
            value_2=code,
        )
    return fine(
        "CUDA {driver} of the driver starts, with {value} devices.",
        driver=found["driver"],
        value=found["count"],
    )
