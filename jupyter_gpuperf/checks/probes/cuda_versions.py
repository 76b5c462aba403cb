"""Find the driver that a CUDA version needs, and the PyTorch wheels that a driver can run. Standard library only.

Sources: the table "CUDA Toolkit and Corresponding Driver Versions" (Linux) in NVIDIA's CUDA Toolkit release notes, and
the wheels that PyTorch publishes.
"""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.checks.probes.gpus import cuda_facts, driver_version, reported
from jupyter_gpuperf.checks.probes.imports import torch_facts
from jupyter_gpuperf.checks.probes.installed import version_numbers
from jupyter_gpuperf.checks.probes.machine import Machine

LOWEST_FOR_MAJOR: Final[dict[int, str]] = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""CUDA major version → oldest driver that runs all its minor versions (minor-version compatibility)."""

WHEELS: Final = "https://download.pytorch.org/whl"


def lowest_driver(cuda: str) -> str | None:
    """Return the oldest driver that runs programs built with this CUDA; ``None`` if it is unknown."""
    return LOWEST_FOR_MAJOR.get((version_numbers(cuda) or (0,))[0])


def torch_install_commands(machine: Machine) -> str:
    """Return the commands that install a PyTorch build for this driver and these GPUs; empty if there is none."""
    tag = wheel_tag(machine)
    if tag is None:
        return ""
    new = f"""{'"torch<2.8"' if tag == "cu118" else "torch"} --index-url {WHEELS}/{tag}"""
    is_new = torch_facts(machine).get("error") == "missing"
    return (
        machine.pip_command("install", new)
        if is_new
        else machine.replacement_commands(["torch"], new)
    )


def wheel_tag(machine: Machine) -> str | None:
    """Return the tag of the PyTorch wheels for this driver and these GPUs, such as ``cu126``; ``None`` if none exist."""
    driver = version_numbers(driver_version(machine) or "")
    capabilities = [version_numbers(text) for text in reported(machine, "compute_cap")] or [(8, 0)]
    if not driver:  # as on WSL without nvidia-smi: the oldest driver for the CUDA that it reports
        major = (version_numbers(str(cuda_facts(machine).get("driver", ""))) or (0,))[0]
        driver = version_numbers(LOWEST_FOR_MAJOR.get(major, ""))
    if driver >= version_numbers(LOWEST_FOR_MAJOR[13]) and min(capabilities) >= (7, 5):
        return "cu130"
    if driver >= version_numbers(LOWEST_FOR_MAJOR[12]):
        return "cu128" if max(capabilities) >= (10, 0) else "cu126"
    return "cu118" if driver >= version_numbers(LOWEST_FOR_MAJOR[11]) else None
