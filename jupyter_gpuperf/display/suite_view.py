"""A suite's results as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.display.document import Block, Displayed, Heading, Line, Table
from jupyter_gpuperf.display.history_view import cells
from jupyter_gpuperf.schemas import KeptResult, Suite


@dataclass(frozen=True, repr=False)
class SuiteView(Displayed):
    """A suite's results, the last round of each, and what could not run."""

    data: Suite
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return the whole suite as plain data: what ``--save`` writes."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def blocks(self) -> Iterator[Block]:
        """Yield a row per benchmark, and what was left out."""
        where = f", in {self.path}" if self.path else ""
        yield Heading(
            f"Suite of {self.data.rounds} rounds, {len(self.data.results)} results{where}"
        )
        yield Table(self._rows(), looks=("label", "label"))
        for each in self.data.failures:
            yield Line(
                f"Left out: {each.benchmark}. {each.error.message} {each.error.hint}", "quiet"
            )

    def _rows(self) -> list[tuple[str, str]]:
        last = {(each.benchmark, str(each.parameters)): each for each in self.data.results}
        rows = []
        for each in last.values():
            kept = KeptResult(id=0, created_seconds=0.0, baseline=False, result=each)
            _, _, name, _, figures = cells(kept)
            rows.append((name, figures))
        return rows
