"""A suite's results as text and as HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.history_view import cells
from jupyter_gpuperf.schemas import KeptResult, Suite


@dataclass(frozen=True)
class SuiteView:
    """A suite's results, the last round of each, and what could not run."""

    data: Suite
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return the whole suite as plain data: what ``--save`` writes."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max((len(row[place]) for row in rows), default=0) for place in range(2)]
        lines = [self._title]
        lines += [f"  {name:<{widths[0]}}  {figures}".rstrip() for name, figures in rows]
        return "\n".join([*lines, *(f"  {line}" for line in self._left_out())])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><td {style.LABEL}>{html.escape(name)}</td>"
            f"<td {style.LABEL}>{html.escape(figures)}</td></tr>"
            for name, figures in self._rows()
        )
        left_out = "".join(
            f"<div {style.QUIET}>{html.escape(line)}</div>" for line in self._left_out()
        )
        return (
            f"<div {style.BOX}><b>{html.escape(self._title)}</b>"
            f"<table {style.TABLE}><tbody>{body}</tbody></table>{left_out}</div>"
        )

    @property
    def _title(self) -> str:
        where = f", in {self.path}" if self.path else ""
        return f"Suite of {self.data.rounds} rounds, {len(self.data.results)} results{where}"

    def _rows(self) -> list[tuple[str, str]]:
        last = {(each.benchmark, str(each.parameters)): each for each in self.data.results}
        rows = []
        for each in last.values():
            kept = KeptResult(id=0, created_seconds=0.0, baseline=False, result=each)
            _, _, name, _, figures = cells(kept)
            rows.append((name, figures))
        return rows

    def _left_out(self) -> list[str]:
        return [
            f"Left out: {each.benchmark}. {each.error.message} {each.error.hint}"
            for each in self.data.failures
        ]
