"""Compute whether arithmetic or memory traffic limits a workload on a chip, and its shortest possible time.

These are the two limits of the roofline model. A workload takes at least its operations divided by the chip's rate,
and at least its traffic divided by the memory bandwidth. The longer of the two times is its shortest possible time.
This module uses only the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_gpuperf.measure.chips import Chip


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The work of one call.

    Parameters
    ----------
    flop
        Number of floating-point operations; a multiply-add counts as two.
    traffic_bytes
        Minimum number of bytes read from and written to device memory: every operator reads its inputs and writes its
        outputs once.
    """

    flop: float
    traffic_bytes: float

    def floor_seconds(self, chip: Chip, kind: str) -> float | None:
        """Return the shortest possible time of a call, in seconds; ``None`` if the chip's rates are unknown."""
        roofs = self._roofs(chip, kind)
        return max(roofs) if roofs else None

    def environment_entries(self, chip: Chip | None, kind: str, *, prefix: str) -> dict[str, Any]:
        """Return entries for the environment of a result: ``<prefix>flop_per_byte`` and, if known, ``bound_by``.

        Parameters
        ----------
        kind
            The number format of the computation, as in :data:`chip_table.FORMATS`.
        """
        facts: dict[str, Any] = {f"{prefix}flop_per_byte": round(self.flop / self.traffic_bytes, 2)}
        if chip is not None and (roofs := self._roofs(chip, kind)):
            arithmetic, traffic = roofs
            facts["bound_by"] = "arithmetic" if arithmetic > traffic else "memory traffic"
        return facts

    def limits(self, chip: Chip | None, kind: str, figure: str, *, prefix: str) -> dict[str, float]:
        """Return the limits for a result: the shortest possible time as ``figure``, and the chip's two rates."""
        if chip is None:
            return {}
        known = {
            figure: self.floor_seconds(chip, kind),
            "memory_bytes_per_second": chip.bytes_per_second,
            f"{prefix}flops_per_second": chip.flops.get(kind),
        }
        return {name: limit for name, limit in known.items() if limit}

    def _roofs(self, chip: Chip, kind: str) -> tuple[float, float] | None:
        rate, bandwidth = chip.flops.get(kind), chip.bytes_per_second
        return (self.flop / rate, self.traffic_bytes / bandwidth) if rate and bandwidth else None
