"""Limits of a device: dense throughput per number format, memory bandwidth, and the link to the host.

Rates are for dense matrices (no structured sparsity) with FP32 accumulation, as used by torch's libraries. Since
Hopper, data sheets list rates for sparse matrices, which are twice as high; GeForce chips accumulate in FP32 at half of
the rate that is advertised. Rates that are not published are derived from multiprocessors and clock, and labelled as
derived.

This module uses only the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.measure.chip_table import FORMATS, ChipEntry, find_chip

FMA_PER_CLOCK: Final = {
    (6, 0): (32, 64, 0, 0, 0, 0, 0, 0),
    (6, 1): (4, 128, 0, 0, 0, 0, 0, 0),
    (7, 0): (32, 64, 0, 512, 0, 0, 0, 0),
    (7, 5): (2, 64, 0, 512, 0, 0, 1024, 0),
    (8, 0): (32, 64, 512, 1024, 1024, 0, 2048, 0),
    (8, 6): (2, 128, 256, 512, 512, 0, 1024, 0),
    (8, 7): (2, 128, 512, 1024, 1024, 0, 2048, 0),
    (8, 9): (2, 128, 256, 512, 512, 1024, 1024, 0),
    (9, 0): (64, 128, 1024, 2048, 2048, 4096, 4096, 0),
    (10, 0): (64, 128, 2048, 4096, 4096, 8192, 8192, 16384),
    (10, 3): (2, 128, 2048, 4096, 4096, 8192, 0, 24576),
    (11, 0): (2, 128, 2048, 4096, 4096, 8192, 8192, 16384),
    (12, 0): (2, 128, 256, 512, 512, 1024, 1024, 2048),
    (12, 1): (2, 128, 256, 512, 512, 1024, 1024, 2048),
}
"""Compute capability → multiply-adds per clock and multiprocessor, in the order of ``FORMATS``; 0: not supported, or not
known. fp64 and fp32 are the CUDA programming guide's (arithmetic instructions), the tensor cores' are those of the
architecture whitepapers. Pascal multiplies fp16 without FP32 accumulation only."""

ACCUMULATED_IN_FP32: Final = ("tf32", "fp16", "bf16", "fp8")
"""The formats that GeForce chips compute at half rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """The limits of a device. What is not known is left out, or ``None``.

    Parameters
    ----------
    flops
        Number format → dense operations per second.
    derived_formats
        The formats whose rates were calculated rather than published.
    clock_mhz
        The SM clock at which the device reaches ``flops``.
    bytes_per_second
        Bandwidth of device memory, both directions together.
    source
        Where the published figures are from.
    not_recognized
        Why the table of chips has nothing about this device; empty if it has.
    """

    name: str
    flops: dict[str, float] = field(default_factory=dict)
    derived_formats: frozenset[str] = frozenset()
    clock_mhz: float | None = None
    bytes_per_second: float | None = None
    pcie_generation: int | None = None
    pcie_lanes: int | None = None
    source: str = ""
    not_recognized: str = ""

    def limit_entries(self, *kinds: str) -> dict[str, str | float | None]:
        """Return entries for the environment of a result: where the rates of formats are from, and their clock."""
        published = self.source if self.flops.keys() & kinds else None
        return {
            "limits_from": "derived" if self.derived_formats & set(kinds) else published,
            "limit_clock_mhz": self.clock_mhz,
        }


def chip_of(
    name: str,
    *,
    pci_id: int | None = None,
    multiprocessors: int,
    memory_bytes: float,
    compute_capability: tuple[int, int],
    clock_mhz: float | None = None,
    memory_bytes_per_second: float | None = None,
) -> Chip:
    """Return the limits of a device: published ones if it is in the table of chips, otherwise derived ones.

    Parameters
    ----------
    pci_id
        PCI device id; ``None`` if it can't be read.
    clock_mhz
        Highest SM clock, for derived limits and for laptops, whose makers choose it; ``None`` if unknown.
    memory_bytes_per_second
        Bandwidth computed from memory clock and bus width, likewise.
    """
    found = find_chip(
        name, pci_id=pci_id, multiprocessors=multiprocessors, memory_bytes=memory_bytes
    )
    if isinstance(found, ChipEntry):
        return _published(found, clock_mhz, memory_bytes_per_second)
    ratio = 0.5 if "GeForce" in name else 1.0
    derived = _rates(compute_capability, multiprocessors, clock_mhz, ratio)
    return Chip(
        name=name,
        flops=derived,
        derived_formats=frozenset(derived),
        clock_mhz=clock_mhz,
        bytes_per_second=memory_bytes_per_second,
        not_recognized=found,
    )


def _published(
    entry: ChipEntry, clock_mhz: float | None, memory_bytes_per_second: float | None
) -> Chip:
    # A maker who chooses the clock chooses the memory, too: the entry has the fastest.
    memory = memory_bytes_per_second if entry.clock_mhz is None else None
    clock_mhz = entry.clock_mhz or clock_mhz
    derived = _rates(
        entry.compute_capability, entry.multiprocessors, clock_mhz, entry.tensor_rate_ratio
    )
    derived = {kind: rate for kind, rate in derived.items() if kind not in entry.published}
    known = {kind: rate for kind, rate in entry.published.items() if rate is not None}
    return Chip(
        name=entry.name,
        flops={kind: rate for kind in FORMATS if (rate := (derived | known).get(kind))},
        derived_formats=frozenset(derived),
        clock_mhz=clock_mhz,
        bytes_per_second=memory or entry.bytes_per_second,
        pcie_generation=entry.pcie_generation,
        pcie_lanes=entry.pcie_lanes,
        source=entry.source,
    )


def _rates(
    compute_capability: tuple[int, int],
    multiprocessors: int,
    clock_mhz: float | None,
    tensor_rate_ratio: float,
) -> dict[str, float]:
    per_clock = FMA_PER_CLOCK.get(compute_capability)
    if per_clock is None or clock_mhz is None:
        return {}
    hertz = 1e6 * clock_mhz
    return {
        kind: 2
        * fma
        * multiprocessors
        * hertz
        * (tensor_rate_ratio if kind in ACCUMULATED_IN_FP32 else 1)
        for kind, fma in zip(FORMATS, per_clock, strict=True)
        if fma
    }
