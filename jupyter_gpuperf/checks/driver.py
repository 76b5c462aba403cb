"""Checks of the driver: whether it is installed and loaded, responds, has only one version, and can start CUDA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from shlex import quote
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus
from jupyter_gpuperf.checks.probes.container_flags import start_commands
from jupyter_gpuperf.checks.probes.imports import importing_check, torch_facts
from jupyter_gpuperf.checks.probes.limits import container_kind
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.system_packages import search_command
from jupyter_gpuperf.messages import Message

INSTALLATION: Final = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
RELOAD: Final = "sudo rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia && sudo modprobe nvidia"
REBOOT: Final = f"sudo reboot\n# or, when nothing uses the GPU:\n{RELOAD}"
VERSION_MISMATCH: Final = "version mismatch"
KERNEL_LOG: Final = "sudo dmesg | grep -i nvrm | tail"
DRIVER_FLAGS: Final = ("--gpus all", "-e NVIDIA_DRIVER_CAPABILITIES=compute,utility")
"""The flags that make the driver available in a container."""
LINUX_LIBRARIES: Final = "/usr/lib/x86_64-linux-gnu"
FORWARD_COMPATIBILITY: Final = 804
CUDA_ERRORS: Final = {
    802: "sudo systemctl restart nvidia-fabricmanager",
    803: RELOAD,
    FORWARD_COMPATIBILITY: "sudo mv /usr/local/cuda/compat /usr/local/cuda/compat.away && sudo ldconfig",
    999: "sudo modprobe nvidia_uvm",
}
"""Error number of cuInit → command that fixes it."""

_driver_check = partial(importing_check, link=INSTALLATION)


@_driver_check(
    label="GPU",
    why="Without a visible GPU, everything runs on the CPU.",
    expected="At least one NVIDIA GPU.",
    messages=("No devices were found",),
)
def _gpu_present(machine: Machine) -> Outcome:
    if nothing := gpus.no_gpu_outcome(machine):
        return _no_gpu(machine, nothing)
    if names := [each.name for each in gpus.gpus(machine)]:
        return fine("{names}.", names=names)
    if addresses := gpus.nvidia_pci_addresses(machine):
        return fine("On the PCI bus: {addresses}.", addresses=addresses)
    if works_without_smi(machine):
        return fine("CUDA finds it; nvidia-smi does not run.")
    return broken(
        "The driver is loaded but reports no GPU.",
        fix=KERNEL_LOG,
        then="The GPU fell off the bus, belongs to another system, or is hidden from a container.",
    )


def _no_gpu(machine: Machine, nothing: Outcome) -> Outcome:
    """Return a warning: all of this package is about GPUs, so that their absence must stand out."""
    if torch_facts(machine).get("hip"):
        return nothing  # PyTorch uses an AMD GPU
    if nothing.fix:
        return suspect(nothing.found, fix=nothing.fix)
    if container_kind(machine):
        found = "This container has no NVIDIA GPU."
        fix, then = start_commands(machine, "--gpus all"), "This helps only if the host has one."
        return suspect(found, fix=fix, then=then)
    then = (
        "If there is one, install its driver. Benchmarks of CPU, disk and DataLoader work without."
    )
    return suspect("There is no NVIDIA GPU, or no driver for it.", then=then)


@_driver_check(
    gpus.no_gpu_outcome,
    label="Driver module",
    why="Without the driver's kernel module, no program reaches the GPU.",
    expected="The nvidia module is loaded.",
    messages=("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver",),
)
def _driver_loaded(machine: Machine) -> Outcome:
    if version := gpus.kernel_driver(machine):
        return fine("Kernel module {version}.", version=version)
    if gpus.gpus(machine):
        return fine("nvidia-smi works; the driver's version is not visible.")
    if gpus.on_wsl(machine):
        return fine("On WSL, Windows has the driver.")
    if other := _other_driver(machine):
        return broken(
            "The GPU at {address} is used by the driver {driver}, not by nvidia.",
            fix=f"lspci -k -s {other[0]}",
            then="With nouveau, install NVIDIA's driver and restart; with vfio-pci, a virtual machine has the GPU.",
            address=other[0],
            driver=other[1],
        )
    if works_without_smi(machine):
        return fine("CUDA works; the driver's version is not visible.")
    if container_kind(machine):
        return broken(
            "A GPU is on the PCI bus, but its driver is not loaded on the host.",
            fix="sudo modprobe nvidia",
            then="Run this on the host, not in the container.",
        )
    signed = "Secure Boot is on: it rejects the module unless its key is enrolled (see mokutil)."
    there = "If there is no such module, install the driver from your distribution's packages."
    return broken(
        "A GPU is on the PCI bus, but its driver is not loaded.",
        fix="sudo modprobe nvidia",
        then=Message(signed) if _has_secure_boot(machine) else Message(there),
    )


def works_without_smi(machine: Machine) -> bool:
    """Return whether CUDA finds a GPU although nvidia-smi could not be run."""
    return gpus.query_smi(machine).code is None and gpus.is_used_by_programs(machine)


def _other_driver(machine: Machine) -> tuple[str, str] | None:
    """Return the address of a GPU that another driver uses, and that driver's name."""
    for address in gpus.nvidia_pci_addresses(machine):
        link = f"/sys/bus/pci/devices/{address}/driver"
        name = machine.realpath(link).rpartition("/")[2]
        if machine.exists(link) and name not in ("nvidia", "driver"):
            return address, name
    return None


def _has_secure_boot(machine: Machine) -> bool:
    folder = "/sys/firmware/efi/efivars"
    names = [each for each in machine.listdir(folder) if each.startswith("SecureBoot-")]
    # The last byte is 1 if it is on; zeros at the end are not read.
    return any((machine.read(f"{folder}/{each}") or "").endswith("\1") for each in names)


@_driver_check(
    label="Driver versions",
    why="The driver rejects a library of another version; then no program sees the GPU.",
    expected="Kernel module and library have the same version.",
    messages=(
        "Failed to initialize NVML: Driver/library version mismatch",
        "system has unsupported display driver / cuda driver combination",
    ),
)
def _driver_versions(machine: Machine) -> Outcome:
    module, ran = gpus.kernel_driver(machine), gpus.query_smi(machine)
    if module is None and not gpus.gpus(machine):
        return gpus.no_gpu_outcome(machine) or not_known("nvidia-smi reports no version.")
    if VERSION_MISMATCH in ran.out + ran.err:
        library = re.search(r"library version:?\s*(\d[\d.]*\d)", ran.out + ran.err)
        return broken(
            "Kernel module {module}, library {library}: the driver was updated while loaded.",
            fix=REBOOT,
            module=module or "?",
            library=library[1] if library else "?",
        )
    versions = gpus.reported(machine, "driver_version")
    if not versions:
        return not_known("nvidia-smi reports no version.")
    return fine("Both are {version}.", version=versions[0])


@_driver_check(
    gpus.no_gpu_outcome,
    label="Driver response",
    why="If the driver does not respond, every CUDA program hangs or fails.",
    expected="nvidia-smi lists the devices.",
    link="https://docs.nvidia.com/deploy/nvidia-smi/",
    messages=(
        "NVIDIA-SMI has failed",
        "Unable to determine the device handle for GPU",
        "nvidia-smi: command not found",
    ),
)
def _driver_answers(machine: Machine) -> Outcome:
    if folder := gpus.smi_folder(machine):
        fix = f'export PATH="$PATH":{quote(folder)}'
        then = "Add this line to ~/.profile, and start Jupyter again."
        return suspect("nvidia-smi is in {folder}, not in PATH.", fix=fix, then=then, folder=folder)
    if gpus.gpus(machine):
        return fine("nvidia-smi responds.")
    if machine.which("nvidia-smi") is None:
        return _without_smi(machine)
    ran = gpus.query_smi(machine)
    if ran.code is None:
        return broken(
            "nvidia-smi did not respond within {seconds:.0f} s.",
            fix="sudo dmesg | grep -i -e nvrm -e xid | tail",
            then="A hung GPU needs a reset or a reboot.",
            seconds=gpus.SMI_SECONDS,
        )
    output = (ran.out + ran.err).strip()
    if not output:
        return broken("nvidia-smi failed without a message.", fix=KERNEL_LOG)
    fix = REBOOT if VERSION_MISMATCH in output else KERNEL_LOG
    return broken("nvidia-smi: {error}", fix=fix, error=output.splitlines()[0])


def _without_smi(machine: Machine) -> Outcome:
    if container_kind(machine):
        fix = start_commands(machine, *DRIVER_FLAGS)
        return broken("This container was started without the driver's tools.", fix=fix)
    if gpus.on_wsl(machine):
        then = "Install NVIDIA's driver in Windows, not in WSL."
        return broken(
            "Windows' driver has no nvidia-smi for WSL.", fix="wsl.exe --update", then=then
        )
    if works_without_smi(machine):
        return fine("CUDA works; nvidia-smi is not installed.")
    found = "nvidia-smi is missing: the driver or its tools are not installed."
    return broken(found, fix=search_command(machine, "nvidia-driver"))


@importing_check(
    gpus.no_gpu_outcome,
    label="CUDA initialization",
    why="If the driver's CUDA does not start, torch.cuda.is_available() is False.",
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
    started = gpus.cuda_facts(machine)
    if gpus.on_wsl(machine) and ("missing" in started or started.get("code") != 0):
        return _no_cuda_on_wsl(machine, started)
    if error := started.get("missing"):
        if container_kind(machine):
            fix = start_commands(machine, *DRIVER_FLAGS)
            return broken(
                "libcuda can't be loaded in this container: {error}", fix=fix, error=error
            )
        return broken(
            "libcuda can't be loaded: {error}",
            then="Reinstall the driver: libcuda is part of it, not of the CUDA toolkit. "
            "To see whether it is found: ldconfig -p | grep libcuda",
            error=error,
        )
    code = started.get("code")
    if code == 100 and "CUDA_VISIBLE_DEVICES" in machine.environment:
        return gpus.ALL_HIDDEN
    if code != 0:
        fix = CUDA_ERRORS.get(code or 0, KERNEL_LOG)
        on_host = container_kind(machine) and code != FORWARD_COMPATIBILITY
        then = "Run this on the host, not in the container." if on_host else ""
        values = {"name": started.get("name"), "code": code}
        return broken("cuInit failed: {name} ({code}).", fix=fix, then=then, **values)
    return fine("CUDA {driver} starts. GPUs: {count}.", **started)


def _no_cuda_on_wsl(machine: Machine, started: Mapping[str, Any]) -> Outcome:
    error = started.get("missing") or started.get("name")
    if machine.exists(f"{LINUX_LIBRARIES}/libcuda.so.1"):
        return broken(
            "CUDA does not start: {error}. A Linux driver in WSL hides that of Windows.",
            fix="sudo apt-get purge 'nvidia-driver-*' 'libnvidia-compute-*'",
            error=error,
        )
    if "missing" in started and machine.exists(f"{gpus.WSL_LIBRARIES}/libcuda.so.1"):
        fix = f'export LD_LIBRARY_PATH="{gpus.WSL_LIBRARIES}:$LD_LIBRARY_PATH"'
        return broken("libcuda can't be loaded: {error}", fix=fix, error=error)
    return broken(
        "CUDA does not start on WSL: {error}.",
        fix="wsl.exe --update; wsl.exe --shutdown",
        then="Install the newest NVIDIA driver in Windows, not in WSL.",
        error=error,
    )
