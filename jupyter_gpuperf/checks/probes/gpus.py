"""Read what the driver reports: the GPUs, its version, and whether CUDA starts. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, not_known
from jupyter_gpuperf.checks.probes.imports import torch_facts
from jupyter_gpuperf.checks.probes.machine import CommandResult, Machine

NVIDIA: Final = "0x10de"
OLD_FIELDS: Final = "index,uuid,name,driver_version,pci.bus_id"
"""The nvidia-smi fields that even old drivers support."""
FIELDS: Final = (
    f"{OLD_FIELDS},compute_cap,pstate,persistence_mode,ecc.errors.uncorrected.volatile.total,"
    "pcie.link.gen.current,pcie.link.gen.max,pcie.link.width.current,pcie.link.width.max,"
    "power.limit,power.default_limit,mig.mode.current,compute_mode,utilization.gpu"
)
SMI_SECONDS: Final = 15.0
"""Time limit of nvidia-smi. Without persistence mode, the driver first initializes each device in 1 to 2 s."""
CUDA_SECONDS: Final = 20.0
CUDA_PROBE: Final = str(Path(__file__).with_name("cuda_probe.py"))

SMI_FOLDERS: Final = (
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/bin",
    "/opt/nvidia/bin",
    "/usr/bin",
    "/run/current-system/sw/bin",
)
"""Where nvidia-smi may be although it is not on the ``PATH``: on WSL, on nodes of Google's Kubernetes, on NixOS."""
WSL_LIBRARIES: Final = "/usr/lib/wsl/lib"
DEVICE_FILES: Final = (
    "/dev/dxg",
    "/dev/nvidiactl",
    "/dev/nvgpu",
    "/dev/nvhost-ctrl-gpu",
    "/dev/nvmap",
)
"""Device files through which CUDA reaches a GPU: on WSL, of the driver, and on a Jetson."""

NO_GPU: Final = not_known("No NVIDIA GPU is visible.")
ALL_HIDDEN: Final = not_known("CUDA_VISIBLE_DEVICES hides all GPUs; see that check.")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: a row of nvidia-smi's output."""

    values: dict[str, str]

    def text(self, field: str) -> str | None:
        """Return a field as text; ``None`` if the device does not report it."""
        text = self.values.get(field, "")
        return None if not text or re.match(r"\[?(N/A|Not|Unknown|Insufficient)", text) else text

    def number(self, field: str) -> float | None:
        """Return a field as a number; ``None`` if the device does not report it."""
        try:
            return float(self.values.get(field, ""))
        except ValueError:
            return None

    @property
    def index(self) -> str:
        """The index that nvidia-smi uses; ``?`` if unknown."""
        return self.values.get("index", "?")

    @property
    def name(self) -> str:
        """The name of the GPU model; ``GPU`` if unknown."""
        return self.values.get("name", "GPU")


def smi_folder(machine: Machine) -> str | None:
    """Return the folder of an nvidia-smi that is not on the ``PATH``; ``None`` if one is, or if there is none."""
    if machine.which("nvidia-smi"):
        return None
    return next((each for each in SMI_FOLDERS if machine.exists(f"{each}/nvidia-smi")), None)


def smi_program(machine: Machine) -> str:
    """Return the name of nvidia-smi, or its path if it is not on the ``PATH``."""
    folder = smi_folder(machine)
    return f"{folder}/nvidia-smi" if folder else "nvidia-smi"


def query_smi(machine: Machine, fields: str = FIELDS) -> CommandResult:
    """Run nvidia-smi and return its output, as CSV without header or units."""
    command = (smi_program(machine), f"--query-gpu={fields}", "--format=csv,noheader,nounits")
    return machine.run(*command, seconds=SMI_SECONDS)


def gpus(machine: Machine) -> list[Gpu]:
    """Return the GPUs that the driver reports; an empty list if it does not respond."""
    fields, ran = FIELDS, query_smi(machine)
    if ran.code and "not a valid field" in ran.out + ran.err:
        fields, ran = OLD_FIELDS, query_smi(machine, OLD_FIELDS)
    names = fields.split(",")
    lines = ran.out.splitlines() if ran.code == 0 else []
    rows = [re.split(r" *, *", line.strip()) for line in lines]
    return [Gpu(dict(zip(names, row, strict=True))) for row in rows if len(row) == len(names)]


def reported(machine: Machine, field: str) -> list[str]:
    """Return a field's text for each GPU that reports it."""
    return [text for each in gpus(machine) if (text := each.text(field))]


def nvidia_pci_addresses(machine: Machine) -> list[str]:
    """Return the PCI addresses of the NVIDIA GPUs, whether or not a driver is loaded."""
    folder = Path("/sys/bus/pci/devices")
    return [
        name
        for name in machine.listdir(folder)
        if machine.read(folder / name / "vendor") == NVIDIA
        and (machine.read(folder / name / "class") or "").startswith("0x03")
    ]


def kernel_driver(machine: Machine) -> str | None:
    """Return the version of the driver's kernel module; ``None`` if it is not loaded."""
    text = machine.read("/proc/driver/nvidia/version") or ""
    version = re.search(r"(?:Kernel Module[^\d]*|x86_64 +|aarch64 +)(\d+\.\d+(?:\.\d+)?)", text)
    return version[1] if version else machine.read("/sys/module/nvidia/version")


def has_gpu(machine: Machine) -> bool:
    """Return whether there is any sign of an NVIDIA GPU."""
    return bool(
        kernel_driver(machine)
        or nvidia_pci_addresses(machine)
        or gpus(machine)
        or is_used_by_programs(machine)
        or (on_wsl(machine) and machine.exists(f"{WSL_LIBRARIES}/libcuda.so.1"))
    )


def is_used_by_programs(machine: Machine) -> bool:
    """Return whether CUDA or PyTorch finds a GPU, whatever else can be seen of it."""
    if any(map(machine.exists, DEVICE_FILES)):
        facts = cuda_facts(machine)
        if "missing" not in facts and facts.get("count"):
            return True
    torch = torch_facts(machine)
    return "error" not in torch and bool(torch.get("cuda") and torch.get("available"))


def on_wsl(machine: Machine) -> bool:
    """Return whether this is WSL 2, where the driver is that of Windows."""
    return machine.exists("/dev/dxg") or "WSL2" in linux_kernel(machine)


def linux_kernel(machine: Machine) -> str:
    """Return the version of the Linux kernel as text."""
    return machine.read("/proc/version") or machine.read("/proc/sys/kernel/osrelease") or ""


def no_gpu_outcome(machine: Machine) -> Outcome | None:
    """Return an outcome if there is no GPU to check; ``None`` if there is one."""
    if has_gpu(machine):
        return None
    if "Microsoft" in linux_kernel(machine) and not on_wsl(machine):
        distribution = machine.environment.get("WSL_DISTRO_NAME", "Ubuntu")
        fix = f"wsl.exe --set-version {distribution} 2"
        return not_known("WSL 1 gives programs no access to a GPU; WSL 2 does.", fix=fix)
    return NO_GPU


def reported_gpus(machine: Machine) -> list[Gpu] | Outcome:
    """Return the GPUs that the driver reports, or an outcome if it reports none."""
    return gpus(machine) or not_known("nvidia-smi reports no GPU.")


def cuda_facts(machine: Machine) -> dict[str, Any]:
    """Start the driver's CUDA in a separate process, and return the result.

    The keys are ``driver`` (its CUDA version, such as ``13.0``), ``code`` (the result of cuInit), ``name`` (the name
    of that code) and ``count`` (the number of devices). If libcuda can't be loaded or the process
    crashes, the only key is ``missing``, the error.
    """
    result, error = machine.probe("-I", "-S", CUDA_PROBE, seconds=CUDA_SECONDS)
    return result or {"missing": error}


def driver_version(machine: Machine) -> str | None:
    """Return the driver's version from nvidia-smi or else the kernel module; ``None`` if neither reports it."""
    return next(iter(reported(machine, "driver_version")), None) or kernel_driver(machine)
