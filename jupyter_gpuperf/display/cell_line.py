"""A cell's footprint: the line below its output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jupyter_gpuperf.display.document import Block, Displayed, Line
from jupyter_gpuperf.display.numbers import quantity_words


@dataclass(kw_only=True)
class Cell:
    """A cell that ran while its notebook was watched.

    Attributes
    ----------
    busy_ratio, energy_joules
        By the server's readings; ``None`` until they come, and where there are none of that time.
    peak_bytes
        The most that torch held on its devices; ``None`` where it used none.
    """

    number: int
    began_seconds: float
    wall_seconds: float
    peak_bytes: float | None
    busy_ratio: float | None = None
    energy_joules: float | None = None
    shown: Any = field(default=None, repr=False)

    def words(self) -> str:
        """Return the line below the cell."""
        parts = [quantity_words(self.wall_seconds, "seconds")]
        if self.busy_ratio is not None:
            parts.append(f"GPU busy {quantity_words(self.busy_ratio, 'ratio')}")
        if self.peak_bytes is not None:
            parts.append(f"{quantity_words(self.peak_bytes, 'bytes')} held at most")
        if self.energy_joules is not None:
            parts.append(quantity_words(self.energy_joules, "J"))
        return " · ".join(parts)


class FootprintLine(Displayed):
    """A cell's footprint as its output shows it."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def blocks(self) -> Iterator[Block]:
        """Yield the line."""
        yield Line(self._cell.words(), "small")
