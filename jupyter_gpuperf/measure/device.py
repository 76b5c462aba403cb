"""Find the device that a benchmark uses, its precisions and its limits.

At module level, this module imports only the standard library.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.measure.chips import Chip, chip_of

PCI_DEVICES: Final = Path("/sys/bus/pci/devices")
PRECISIONS: Final = ("fp32", "tf32", "bf16", "fp16")


def first_device(torch: Any) -> Any:
    """Return the device that benchmarks use: the first CUDA device, otherwise the CPU.

    The job determines which GPU is the first, by setting ``CUDA_VISIBLE_DEVICES``.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def started_device(torch: Any) -> Any:
    """Return the CUDA device if this process has initialized CUDA, otherwise ``None``.

    This does not initialize CUDA, because workers that are forked afterwards could not use CUDA.
    """
    return torch.device("cuda") if torch.cuda.is_initialized() else None


def started_cuda(torch: Any) -> Any:
    """Return ``torch.cuda`` if this process has started CUDA, otherwise ``None``.

    Parameters
    ----------
    torch
        What ``sys.modules`` has as torch: possibly nothing, a stand-in, or a module that is being imported just now.
    """
    cuda = getattr(torch, "cuda", None)
    return cuda if getattr(cuda, "is_initialized", bool)() else None


def synchronize(torch: Any, device: Any) -> None:
    """Wait until the device has finished its work; do nothing for a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def precisions_of(torch: Any, device: Any) -> list[str]:
    """Return the names of the precisions that the device supports in hardware."""
    if device.type != "cuda":
        return ["fp32", "bf16"]
    if torch.cuda.get_device_capability(device) >= (8, 0):
        return list(PRECISIONS)
    return ["fp32", "fp16"]


def limits_of(torch: Any, device: Any, pci_devices: Path = PCI_DEVICES) -> Chip | None:
    """Return the limits of a GPU; ``None`` for a CPU, whose limits are unknown.

    Parameters
    ----------
    torch
        The torch module.
    device
        A ``torch.device``.
    """
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    # The clocks are in kHz. Older versions of torch don't report them; limits then can't be derived. An integrated GPU
    # reports a memory clock that has nothing to do with its memory.
    clock_khz = getattr(properties, "clock_rate", 0)
    memory_clock_khz = getattr(properties, "memory_clock_rate", 0)
    bus_bits = (
        0 if getattr(properties, "is_integrated", 0) else getattr(properties, "memory_bus_width", 0)
    )
    return chip_of(
        properties.name,
        pci_id=_pci_id(properties, pci_devices),
        multiprocessors=properties.multi_processor_count,
        memory_bytes=float(properties.total_memory),
        compute_capability=(properties.major, properties.minor),
        clock_mhz=clock_khz / 1000 or None,
        memory_bytes_per_second=2 * memory_clock_khz * 1000 * bus_bits / 8
        or None,  # double data rate
    )


def uuid_of(torch: Any, device: Any) -> str | None:
    """Return the device's UUID in the driver's format; ``None`` if this version of torch doesn't report it.

    Parameters
    ----------
    device
        A ``torch.device`` of type ``cuda``, or its index.
    """
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if uuid is None else "GPU-" + str(uuid).removeprefix("GPU-")


def _pci_id(properties: Any, pci_devices: Path) -> int | None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        domain, bus = properties.pci_domain_id, properties.pci_bus_id
        address = f"{domain:04x}:{bus:02x}:{properties.pci_device_id:02x}.0"
        return int((pci_devices / address / "device").read_text(), 16)
    return None
