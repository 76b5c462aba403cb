"""What kernels say that they hold, while they are connected."""

from __future__ import annotations

from jupyter_gpuperf.kernel_link.holding import Holding
from jupyter_gpuperf.processes.attribution import Reported


class KernelHoldings:
    """Keeps each connection's newest word, and forgets it when the kernel hangs up."""

    def __init__(self) -> None:
        self._said: dict[HoldingOfOne, Holding] = {}

    def of(self, pid: int | None) -> HoldingOfOne:
        """Return the place of a new connection from this process; ``None`` where that is not known."""
        return HoldingOfOne(self._said, pid)

    def now(self) -> list[Reported]:
        """Return what is held now, as far as kernels say."""
        return [
            Reported(
                pid=place.pid,
                device=uuid,
                allocated_bytes=held.allocated_bytes,
                reserved_bytes=held.reserved_bytes,
            )
            for place, holding in tuple(self._said.items())
            if place.pid is not None
            for uuid, held in holding.devices.items()
        ]


class HoldingOfOne:
    """What one connection said.

    Parameters
    ----------
    pid
        Who is at its other end, as the operating system tells: a kernel can't speak for another.
    """

    def __init__(self, said: dict[HoldingOfOne, Holding], pid: int | None) -> None:
        self._said, self.pid = said, pid

    def keep(self, holding: Holding) -> None:
        """Replace what it said before."""
        self._said[self] = holding

    def close(self) -> None:
        """Forget it."""
        self._said.pop(self, None)
