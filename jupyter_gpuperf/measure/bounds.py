"""What bounds a piece of work on a chip: its arithmetic, or the bytes that it must move. Standard library only.

The roofline's two roofs. A piece of work can't take less than its operations at the chip's rate, nor less than
its traffic at the memory's; the longer of the two is its floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_gpuperf.measure.chips import Chip


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one call has to do.

    Parameters
    ----------
    flop
        Floating-point operations; a multiply-add is two.
    traffic_bytes
        What the device's memory must hand over and take at the least, when every operator reads its inputs and
        writes its outputs once.
    """

    flop: float
    traffic_bytes: float

    def floor_seconds(self, chip: Chip, kind: str) -> float | None:
        """Return the shortest time that a call can take; ``None`` where the chip's rates are not known."""
        roofs = self._roofs(chip, kind)
        return max(roofs) if roofs else None

    def described(self, chip: Chip | None, kind: str, *, prefix: str) -> dict[str, Any]:
        """Return what a result's environment says of it: ``<prefix>flop_per_byte`` and ``bound_by``.

        Parameters
        ----------
        kind
            The number format that it computes in, as in :data:`chips_table.FORMATS`.
        """
        said: dict[str, Any] = {f"{prefix}flop_per_byte": round(self.flop / self.traffic_bytes, 2)}
        if chip is not None and (roofs := self._roofs(chip, kind)):
            arithmetic, traffic = roofs
            said["bound_by"] = "arithmetic" if arithmetic > traffic else "memory traffic"
        return said

    def limits(self, chip: Chip | None, kind: str, figure: str, *, prefix: str) -> dict[str, float]:
        """Return what a result's limits say of it: the floor of ``figure``, and the chip's two roofs."""
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
