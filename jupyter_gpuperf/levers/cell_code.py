"""The code of a cell, and the lines that must run once before it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CellCode:
    """A cell that levers change.

    Attributes
    ----------
    setup
        Lines that run once before the cell, in order.
    cell
        The source of the cell.
    """

    cell: str
    setup: tuple[str, ...] = ()

    def with_setup(self, *lines: str) -> CellCode:
        """Return the same with more set-up lines."""
        return replace(self, setup=(*self.setup, *lines))

    def with_cell(self, cell: str) -> CellCode:
        """Return the same with another cell."""
        return replace(self, cell=cell)

    @property
    def setup_code(self) -> str:
        """The set-up lines as code; an import that several levers need stands once, at the top."""
        imports = [line for line in dict.fromkeys(self.setup) if line.startswith("import ")]
        return "\n".join([*imports, *(each for each in self.setup if each not in imports)])
