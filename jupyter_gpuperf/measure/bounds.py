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
        arithmetic, traffic = self._roofs(chip, kind)
        return max(arithmetic, traffic) if traffic else None

    def described(self, chip: Chip | None, kind: str) -> dict[str, Any]:
        """Return what a result's environment says of it: ``work_gflop``, ``work_gb``, ``bound_by``.

        Parameters
        ----------
        kind
            The number format that it computes in, as in :data:`chips_table.FORMATS`.
        """
        said: dict[str, Any] = {
            "work_gflop": round(self.flop / 1e9, 3),
            "work_gb": round(self.traffic_bytes / 1e9, 3),
        }
        if chip is not None and self.floor_seconds(chip, kind) is not None:
            arithmetic, traffic = self._roofs(chip, kind)
            said["bound_by"] = "arithmetic" if arithmetic > traffic else "memory traffic"
        return said

    def _roofs(self, chip: Chip, kind: str) -> tuple[float, float]:
        rate, bandwidth = chip.flops.get(kind, 0.0), chip.bytes_per_second
        if not rate or not bandwidth:
            return 0.0, 0.0
        return self.flop / rate, self.traffic_bytes / bandwidth
