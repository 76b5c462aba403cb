"""What the driver tells: of each GPU through nvidia-smi, and whether CUDA starts. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, not_known
from jupyter_gpuperf.checks.probes.machine import Machine, Ran

NVIDIA: Final = "0x10de"
FIELDS: Final = (
    "index",
    "uuid",
    "name",
    "driver_version",
    "pci.bus_id",
    "compute_cap",
    "pstate",
    "persistence_mode",
    "ecc.errors.uncorrected.volatile.total",
    "pcie.link.gen.current",
    "pcie.link.gen.max",
    "pcie.link.width.current",
    "pcie.link.width.max",
    "power.limit",
    "power.default_limit",
    "mig.mode.current",
    "compute_mode",
    "utilization.gpu",
)
SECONDS: Final = 15.0
"""Without persistence the driver first wakes each device: a second or two for each."""
CUDA_SECONDS: Final = 20.0
CUDA_PROBE: Final = str(Path(__file__).with_name("cuda_probe.py"))


@dataclass(frozen=True, slots=True)
class Gpu:
    """A row of nvidia-smi."""

    values: dict[str, str]

    def word(self, name: str) -> str | None:
        """Return a field's text; ``None`` where the device has no such thing."""
        text = self.values.get(name, "")
        return None if not text or re.match(r"\[?(N/A|Not|Unknown|Insufficient)", text) else text

    def number(self, name: str) -> float | None:
        """Return a field as a number; ``None`` where the device has no such thing."""
        try:
            return float(self.values.get(name, ""))
        except ValueError:
            return None

    @property
    def index(self) -> str:
        """As nvidia-smi counts."""
        return self.values.get("index", "?")

    @property
    def name(self) -> str:
        """The chip's name."""
        return self.values.get("name", "GPU")


def smi(machine: Machine, *, fields: tuple[str, ...] = FIELDS) -> Ran:
    """Return what nvidia-smi says."""
    query = f"--query-gpu={','.join(fields)}"
    return machine.run("nvidia-smi", query, "--format=csv,noheader,nounits", seconds=SECONDS)


def gpus(machine: Machine) -> list[Gpu]:
    """Return the GPUs that the driver shows here."""
    fields: tuple[str, ...] = FIELDS
    ran = smi(machine)
    if ran.code and "not a valid field" in ran.out + ran.err:
        fields = FIELDS[:5]  # an old driver knows fewer
        ran = smi(machine, fields=fields)
    lines = ran.out.splitlines() if ran.code == 0 else []
    rows = [re.split(r" *, *", line.strip()) for line in lines]
    return [Gpu(dict(zip(fields, row, strict=True))) for row in rows if len(row) == len(fields)]


def on_the_bus(machine: Machine) -> list[str]:
    """Return the addresses of NVIDIA's graphics processors on the PCI bus."""
    folder = Path("/sys/bus/pci/devices")
    return [
        name
        for name in machine.names(folder)
        if machine.text(folder / name / "vendor") == NVIDIA
        and (machine.text(folder / name / "class") or "").startswith("0x03")
    ]


def kernel_driver(machine: Machine) -> str | None:
    """Return the version of the driver's kernel module, or ``None`` where it is not loaded."""
    text = machine.text("/proc/driver/nvidia/version") or ""
    found = re.search(r"(?:Kernel Module[^\d]*|x86_64 +|aarch64 +)(\d+\.\d+(?:\.\d+)?)", text)
    return found[1] if found else machine.text("/sys/module/nvidia/version")


def has_gpu(machine: Machine) -> bool:
    """Tell whether there is any sign of a GPU of NVIDIA."""
    return bool(kernel_driver(machine) or on_the_bus(machine) or gpus(machine))


def without_gpu(machine: Machine) -> Outcome | None:
    """Return why nothing can be said of a GPU; ``None`` where there is one."""
    return None if has_gpu(machine) else not_known("There is no NVIDIA GPU to be seen here.")


def shown_gpus(machine: Machine) -> list[Gpu] | Outcome:
    """Return the GPUs that the driver shows here, or that it shows none."""
    return gpus(machine) or not_known("nvidia-smi shows no GPU here.")


def cuda(machine: Machine) -> dict[str, Any]:
    """Return how the driver's own CUDA starts, asked in a process of its own.

    Keys: ``driver`` such as ``13.0``, ``code`` of cuInit, ``name`` of the code, ``count``; ``missing``
    where libcuda can't be loaded.
    """
    found, died = machine.probe("-I", "-S", CUDA_PROBE, seconds=CUDA_SECONDS)
    return found or {"missing": died}


def driver_version(machine: Machine) -> str | None:
    """Return the driver's version, whoever tells it."""
    shown = [word for each in gpus(machine) if (word := each.word("driver_version"))]
    return shown[0] if shown else kernel_driver(machine)
