"""Units of numbers, and the name suffixes that denote them.

Base units only: bytes, seconds, watts, degrees Celsius, megahertz. ``percent`` is 0 to 100, ``ratio``
is 0 to 1. Numbers are converted to readable units (GiB, ms) only for display.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Unit = Literal[
    "percent",
    "ratio",
    "bytes",
    "bytes_per_second",
    "watts",
    "joules",
    "celsius",
    "mhz",
    "seconds",
    "count",
    "count_per_second",
    "lanes",
    "generation",
    "cores",
    "code",
    "flags",
]

GIB: Final = float(1 << 30)

PCIE_LANE_BYTES_PER_SECOND: Final = {1: 250e6, 2: 500e6, 3: 985e6, 4: 1969e6, 5: 3938e6, 6: 7563e6}
"""The most that one PCIe lane of each generation carries in one direction."""

UNITS: Final[tuple[str, ...]] = get_args(Unit)


def has_unit_suffix(name: str, unit: str) -> bool:
    """Return whether ``name`` ends with ``_<unit>``; the name of every number must."""
    return unit in UNITS and name.endswith(f"_{unit}")


def unit_of(name: str) -> str:
    """Return the unit at the end of ``name``, the longest if several match; empty if there is none."""
    return max((unit for unit in UNITS if has_unit_suffix(name, unit)), key=len, default="")
