"""The table of chips: their published figures, and which of them a device is.

The table is ``chips.csv``, read when a device is first looked up. A device is found by its PCI device id and by the name
that the driver gives it, compared as a whole: a part of a name misleads ("L4" is part of "L40S"). Multiprocessors and
memory must match, too. A device that fits no entry, or several, is none of them.

This module uses only the standard library.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_gpuperf.messages import Message

FORMATS: Final = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4")
TABLE: Final = Path(__file__).with_name("chips.csv")
GIB: Final = float(1 << 30)
MEMORY_TOLERANCE: Final = (0.88, 1.03)
"""Memory that the driver reports, as a share of the data sheet's: it reserves a part, and error correction another."""
VENDOR: Final = re.compile(r"^(?:NVIDIA |Tesla )+")
VIRTUAL_GPU: Final = re.compile(r"^GRID |-\d+[ABCQ]\d?$")
"""Names of virtual GPUs: ``GRID A100-40C``, ``NVIDIA A40-48Q``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipEntry:
    """An entry of the table.

    Parameters
    ----------
    device_names
        The driver's names, without the vendor. Several chips can have the same name.
    pci_ids
        PCI device ids, without the vendor id. Several chips can have the same id.
    memory_gib
        The sizes of memory with which the chip is sold.
    bytes_per_second
        Bandwidth of device memory, both directions together.
    clock_mhz
        The SM clock at which the chip reaches its rates; ``None`` if that depends on the maker, as in laptops.
    tensor_rate_ratio
        The tensor cores' rate with FP32 accumulation, relative to the fastest chips of this compute capability; 0.5 for
        GeForce.
    published
        Number format → dense operations per second; ``None`` if the rate is unknown and can't be derived, because the
        maker limits it. Formats that are missing here may be derived.
    source
        Where the published rates are from; otherwise multiprocessors, clock and memory.
    """

    name: str
    device_names: tuple[str, ...]
    pci_ids: tuple[int, ...]
    compute_capability: tuple[int, int]
    multiprocessors: int
    memory_gib: tuple[float, ...]
    bytes_per_second: float
    clock_mhz: float | None
    tensor_rate_ratio: float
    published: dict[str, float | None]
    pcie_generation: int | None
    pcie_lanes: int | None
    source: str

    def fits(self, multiprocessors: int | None, memory_bytes: float | None) -> bool:
        """Return whether a device with these sizes can be this chip; ``None`` is unknown and fits."""
        low, high = MEMORY_TOLERANCE
        return multiprocessors in (None, self.multiprocessors) and (
            memory_bytes is None
            or any(
                low * GIB * each <= memory_bytes <= high * GIB * each for each in self.memory_gib
            )
        )


@functools.cache
def chip_entries() -> tuple[ChipEntry, ...]:
    """Return all entries of the table."""
    import csv

    with TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(map(_entry, csv.DictReader(lines)))


def find_chip(
    name: str,
    *,
    pci_id: int | None = None,
    multiprocessors: int | None = None,
    memory_bytes: float | None = None,
) -> ChipEntry | Message:
    """Return the entry of a device, or why there is none. Unknown facts are ``None``.

    Parameters
    ----------
    name
        The device's name as the driver reports it.
    pci_id
        PCI device id; unknown on WSL, and on devices that are not on the PCI bus.
    """
    if " MIG " in name or VIRTUAL_GPU.search(name):
        return Message(
            "{name} is a part of a GPU; the limits of a part are not published.", name=name
        )
    bare = VENDOR.sub("", name)
    by_id = [each for each in chip_entries() if pci_id in each.pci_ids]
    by_name = [each for each in chip_entries() if bare in each.device_names]
    if not by_id and not by_name:
        return Message("{name} is not in the table of chips.", name=name)
    both = [each for each in by_id if each in by_name]
    if by_id and by_name and not both:
        return Message(
            "The device is named {name}, but its PCI id belongs to {chip}.",
            name=name,
            chip=by_id[0].name,
        )
    for candidates in (both, by_name or by_id):
        fitting = [each for each in candidates if each.fits(multiprocessors, memory_bytes)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = [each.name for each in fitting]
            return Message("{name} can be any of these chips: {chips}.", name=name, chips=names)
    return Message(
        "{name} is in the table of chips, but with other multiprocessors or memory.", name=name
    )


def _entry(row: dict[str, str]) -> ChipEntry:
    major, _, minor = row["compute_capability"].partition(".")
    return ChipEntry(
        name=row["name"],
        device_names=tuple((row["device_names"] or row["name"]).split("; ")),
        pci_ids=tuple(int(each, 16) for each in row["pci_ids"].split()),
        compute_capability=(int(major), int(minor)),
        multiprocessors=int(row["multiprocessors"]),
        memory_gib=tuple(map(float, row["memory_gib"].split())),
        bytes_per_second=1e9 * float(row["memory_gb_per_second"]),
        clock_mhz=_number(row["sm_clock_mhz"]),
        tensor_rate_ratio=float(row["tensor_rate_ratio"]),
        published=dict(_published(row)),
        pcie_generation=int(row["pcie_generation"] or 0) or None,
        pcie_lanes=int(row["pcie_lanes"] or 0) or None,
        source=row["published_source"] or row["board_source"],
    )


def _published(row: dict[str, str]) -> Iterator[tuple[str, float | None]]:
    for kind in FORMATS:
        if text := row[f"{kind}_{'tops' if kind == 'int8' else 'tflops'}"]:
            yield kind, None if text == "-" else 1e12 * float(text)


def _number(text: str) -> float | None:
    return float(text) if text else None
