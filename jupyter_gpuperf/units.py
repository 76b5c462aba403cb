"""Units of numbers, and the name suffixes that denote them.

Each quantity has one unit: bytes, seconds, watts, degrees Celsius, megahertz. Values are converted to readable units
(GiB, ms) only for display. ``percent`` is 0 to 100, ``ratio`` is 0 to 1.
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
"""PCIe generation → maximum rate of one lane in one direction."""

UNITS: Final[tuple[str, ...]] = get_args(Unit)


def has_unit_suffix(name: str, unit: str) -> bool:
    """Return whether ``name`` ends with ``_<unit>``, as the name of every number must."""
    return unit in UNITS and name.endswith(f"_{unit}")


def unit_of(name: str) -> str:
    """Return the unit at the end of ``name``, the longest if several match; an empty string if there is none."""
    return max((unit for unit in UNITS if has_unit_suffix(name, unit)), key=len, default="")
