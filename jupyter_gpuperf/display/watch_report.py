"""What ``%gpuwatch`` and ``%gpuwatch report`` show: the loops, the cells, and what can't be seen."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.cell_line import Cell
from jupyter_gpuperf.display.numbers import MISSING, quantity_words
from jupyter_gpuperf.schemas.training import LoaderSteps

LOOP_HEADS = ("Loop", "Steps", "Samples/s", "Step", "Wait for data", "GPU idle for data", "Loader")
CELL_HEADS = ("Cell", "Time", "GPU busy", "Memory at most", "Energy")
WORDS = ("Loop", "Loader", "Cell")  # the other columns are numbers


@dataclass(frozen=True)
class Report:
    """The watched notebook so far.

    Attributes
    ----------
    loops
        Each loader's steps.
    cells
        Each cell's footprint; ``None`` where something is not known.
    notes
        What can't be seen from here, and what to do about it.
    """

    heading: str
    loops: Sequence[LoaderSteps]
    cells: Sequence[Cell]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data; times in seconds, sizes in bytes, energy in joules."""
        cells = [asdict(each) for each in self.cells]
        for each in cells:
            del each["shown"]
        return {
            "loops": [msgspec.to_builtins(each) for each in self.loops],
            "cells": cells,
            "notes": list(self.notes),
        }

    def tables(self) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """Return the tables that have rows: heads and rows."""
        tables: list[tuple[Sequence[str], list[Sequence[str]]]] = [
            (LOOP_HEADS, [_loop_row(each) for each in self.loops]),
            (CELL_HEADS, [_cell_row(each) for each in self.cells]),
        ]
        return [(heads, rows) for heads, rows in tables if rows]

    def __repr__(self) -> str:
        lines = [self.heading]
        for heads, rows in self.tables():
            widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
            lines += ["", *("  ".join(_padded(row, widths)).rstrip() for row in (heads, *rows))]
        return "\n".join([*lines, *(["", *self.notes] if self.notes else [])])

    def _repr_html_(self) -> str:
        tables = "".join(
            f"<table {style.TABLE}><tr>{''.join(map(_head, heads))}</tr>"
            f"{''.join(_row(heads, row) for row in rows)}</table>"
            for heads, rows in self.tables()
        )
        notes = "".join(f"<div {style.QUIET}>{html.escape(note)}</div>" for note in self.notes)
        return f"<div {style.BOX}>{html.escape(self.heading)}{tables}{notes}</div>"


def _loop_row(loop: LoaderSteps) -> Sequence[str]:
    rate = loop.samples_per_second
    return (
        loop.loader if loop.is_training else f"{loop.loader} (no gradients)",
        quantity_words(loop.count),
        MISSING if rate is None else quantity_words(rate),
        quantity_words(loop.step_seconds, "seconds"),
        quantity_words(loop.wait_ratio, "ratio"),
        quantity_words(loop.idle_for_data_ratio, "ratio"),
        settings_words(loop),
    )


def settings_words(loop: LoaderSteps) -> str:
    """Return a loader's settings in a few words: ``batch 64, 4 workers, prefetch 2, pinned``."""
    parts = [] if loop.batch_size is None else [f"batch {loop.batch_size}"]
    parts.append("1 worker" if loop.num_workers == 1 else f"{loop.num_workers} workers")
    if loop.num_workers and loop.prefetch_factor is not None:
        parts.append(f"prefetch {loop.prefetch_factor}")
    parts += ["pinned"] if loop.pin_memory else []
    parts += ["persistent"] if loop.persistent_workers else []
    return ", ".join(parts)


def _cell_row(cell: Cell) -> Sequence[str]:
    return (
        f"[{cell.number}]",
        quantity_words(cell.wall_seconds, "seconds"),
        quantity_words(cell.busy_ratio, "ratio"),
        quantity_words(cell.peak_bytes, "bytes"),
        quantity_words(cell.energy_joules, "J"),
    )


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [word.ljust(width) for word, width in zip(row, widths, strict=True)]


def _head(name: str) -> str:
    return _cell(name, style.QUIET_CELL if name in WORDS else style.QUIET_NUMBER)


def _row(heads: Sequence[str], words: Sequence[str]) -> str:
    cells = (
        _cell(each, style.NAME_CELL if name in WORDS else style.VALUE)
        for name, each in zip(heads, words, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cell(word: str, attributes: str) -> str:
    return f"<td {attributes}>{html.escape(word)}</td>"
