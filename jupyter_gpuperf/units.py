"""The units a name may wear, and the suffix that wears it.

Base units only: bytes, seconds, watts, degrees Celsius, megahertz. ``percent`` is 0 to 100, ``ratio``
is 0 to 1. Numbers are made readable (GiB, ms) only where a person reads them.
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


def wears_its_unit(name: str, unit: str) -> bool:
    """Tell whether ``name`` ends with ``_<unit>``, as every number's name here must."""
    return unit in UNITS and name.endswith(f"_{unit}")


def unit_of(name: str) -> str:
    """Return the unit that ``name`` wears, the longest where one ends in another; empty for none."""
    return max((unit for unit in UNITS if wears_its_unit(name, unit)), key=len, default="")
