"""What a chip can do at most: dense throughput per number format, memory bandwidth, its link to the host.

Rates are for dense matrices (no structured sparsity) with FP32 accumulation, which is what torch's libraries
use; data sheets since Hopper print twice as much, for sparse ones. Rows are matched by PCI device id, and the
count of multiprocessors and the memory must agree: names lie ("L4" is in "L40S"). A chip that is not in the table
is derived from its multiprocessors and clock, and labelled so.

Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.measure.chips_table import FORMATS, ROWS

TERA: Final = 1e12
GIGA: Final = 1e9
GIB: Final = float(1 << 30)
MEMORY_TOLERANCE: Final = 0.12
"""The driver keeps a part of what the data sheet names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """A chip's limits.

    Parameters
    ----------
    pci_ids
        PCI device ids, without the vendor's.
    flops
        Dense floating-point operations per second by format; what it lacks is left out.
    clock_mhz
        The SM clock that ``flops`` holds at.
    bytes_per_second
        Device memory, both directions together.
    source
        Where the figures are from; ``derived`` when they were calculated.
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
        """Tell whether the figures were calculated rather than published."""
        return self.source == "derived"


# Multiply-adds per clock and multiprocessor, by compute capability: tensor cores on fp16 with FP32
# accumulation, and the FP32 units.
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
"""Chips whose data sheets are known."""


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
    """Return a chip's limits: published ones, else derived ones; ``None`` when neither is known.

    Parameters
    ----------
    pci_id
        PCI device id; ``None`` when it can't be read: then nothing published is taken for granted.
    clock_mhz
        Highest SM clock, for what is derived.
    memory_bytes_per_second
        Bandwidth by memory clock and bus width, for what is derived; 0 when that is unknown.
    """
    for chip in CHIPS:
        # Two versions of the V100 differ in memory alone; a half-disabled board differs in both.
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
