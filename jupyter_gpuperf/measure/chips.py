"""Limits of chips: dense throughput per number format, memory bandwidth, and the link to the host.

Rates are for dense matrices (no structured sparsity) with FP32 accumulation, as used by torch's libraries. Since
Hopper, data sheets list rates for sparse matrices, which are twice as high. A chip is found by its PCI device id, and
its multiprocessors and memory must match too. Names are not used, because they mislead ("L4" is part of "L40S"). For a
chip that is not in the table, limits are derived from its multiprocessors and clock, and labelled as derived.

This module uses only the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.measure.chips_table import FORMATS, ROWS

TERA: Final = 1e12
GIGA: Final = 1e9
GIB: Final = float(1 << 30)
MEMORY_TOLERANCE: Final = 0.12
"""Share by which the memory may be smaller than in the data sheet: the driver reserves a part of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """A chip's limits.

    Parameters
    ----------
    pci_ids
        PCI device ids, without the vendor id.
    flops
        Number format → dense floating-point operations per second; unsupported formats are left out.
    clock_mhz
        The SM clock at which the chip reaches ``flops``.
    bytes_per_second
        Bandwidth of device memory, both directions together.
    source
        The web page of the published figures; ``derived`` if the figures were calculated.
    """

    name: str
    pci_ids: tuple[int, ...]
    multiprocessors: int
    memory_bytes: float
    flops: dict[str, float] = field(default_factory=dict)
    clock_mhz: float
    bytes_per_second: float
    pcie_generation: int
    source: str

    @property
    def derived(self) -> bool:
        """Whether the figures were calculated rather than published."""
        return self.source == "derived"


# Compute capability → multiply-adds per clock and multiprocessor: of the tensor cores for fp16 with FP32
# accumulation, and of the FP32 units.
FMA_PER_CLOCK: Final = {
    (7, 0): (512, 64),
    (7, 5): (512, 64),
    (8, 0): (1024, 64),
    (8, 6): (512, 128),
    (8, 9): (512, 128),
    (9, 0): (2048, 128),
}

CHIPS: Final = tuple(
    Chip(
        name=name,
        pci_ids=pci_ids,
        multiprocessors=processors,
        memory_bytes=GIB * gib,
        flops={kind: TERA * rate for kind, rate in zip(FORMATS, teraflops, strict=True) if rate},
        clock_mhz=mhz,
        bytes_per_second=GIGA * gigabytes,
        pcie_generation=pcie,
        source=f"https://www.nvidia.com/en-us/{page}/",
    )
    for name, pci_ids, processors, gib, teraflops, mhz, gigabytes, pcie, page in ROWS
)
"""The chips with known data sheets."""


def chip_of(
    *,
    pci_id: int | None,
    multiprocessors: int,
    memory_bytes: float,
    compute_capability: tuple[int, int],
    clock_mhz: float,
    name: str = "",
    memory_bytes_per_second: float = 0.0,
) -> Chip | None:
    """Return the published limits of a chip, otherwise derived ones; ``None`` if they can't be derived either.

    Parameters
    ----------
    pci_id
        PCI device id; ``None`` if it can't be read, in which case published limits are not used.
    clock_mhz
        Highest SM clock, for derived limits; 0 if unknown.
    memory_bytes_per_second
        Bandwidth computed from memory clock and bus width, for derived limits; 0 if unknown.
    """
    for chip in CHIPS:
        # The 16 GB and 32 GB versions of the V100 differ only in memory, so more memory is accepted. A board on which
        # half of the chip is disabled has fewer multiprocessors and less memory.
        close = memory_bytes >= (1 - MEMORY_TOLERANCE) * chip.memory_bytes
        if pci_id in chip.pci_ids and multiprocessors == chip.multiprocessors and close:
            return chip
    rates = FMA_PER_CLOCK.get(compute_capability)
    if rates is None or clock_mhz <= 0:
        return None
    tensor, plain = (2 * fma * multiprocessors * clock_mhz * 1e6 for fma in rates)
    halves = ("fp16", "bf16") if compute_capability >= (8, 0) else ("fp16",)
    return Chip(
        name=name or "unknown",
        pci_ids=(),
        multiprocessors=multiprocessors,
        memory_bytes=memory_bytes,
        flops={"fp32": plain, **dict.fromkeys(halves, tensor)},
        clock_mhz=clock_mhz,
        bytes_per_second=memory_bytes_per_second,
        pcie_generation=0,
        source="derived",
    )
