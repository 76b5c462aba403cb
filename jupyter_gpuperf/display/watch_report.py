"""What ``%gpuwatch`` shows: a line below each cell, and the report on loops, cells and limitations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, Sentence, joined
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.loaders.setting import SETTINGS, Setting
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.training import LoopSteps
from jupyter_gpuperf.schemas.work import FlopsUnknown

LOOP_HEAD: Final = (
    *(Message("Loop"), Message("Steps"), Message("Samples/s"), Message("Tokens/s")),
    *(Message("Step"), Message("Model FLOPs")),
    *(Message("Wait for data"), Message("GPU idle for data"), Message("DataLoader")),
)
CELL_HEAD: Final = (
    *(Message("Cell"), Message("Time"), Message("GPU busy"), Message("Peak memory")),
    Message("Energy"),
)
NOT_COUNTED: Final[dict[FlopsUnknown, Message]] = {
    "compiled": Message("not counted: compiled code"),
    "several_models": Message("not counted: several models"),
    "uncounted_operations": Message("not counted: operations without a formula"),
    "frozen_layers": Message("not counted: frozen layers, and no DataLoader"),
    "no_backward_pass": Message("not counted: no backward pass"),
    "other_tensors": Message("not counted: sharded or quantized tensors"),
    "other_modes": Message("not counted: another mode of torch is active"),
}
TEXT_COLUMNS: Final = ("Loop", "DataLoader", "Cell")
"""Columns that contain text; the others contain numbers."""


@dataclass
class WatchedCell:
    """A cell that ran while its notebook was watched.

    Attributes
    ----------
    busy_ratio, energy_joules
        From the server's readings; ``None`` until they arrive, or if there are none for the cell's time.
    peak_bytes
        The peak memory that torch held on its devices; ``None`` if it used none.
    """

    number: int
    began_seconds: float
    wall_seconds: float
    peak_bytes: float | None
    busy_ratio: float | None = None
    energy_joules: float | None = None
    display_handle: Any = field(default=None, repr=False)

    def line(self) -> Sentence:
        """Return the line below the cell."""
        return Sentence(joined(self._known_values()), "small")

    def _known_values(self) -> Iterator[str]:
        yield format_quantity(self.wall_seconds, "seconds")
        if self.busy_ratio is not None:
            yield Message("GPU busy {percent}", percent=format_quantity(self.busy_ratio, "ratio"))
        if self.peak_bytes is not None:
            yield Message("peak memory {size}", size=format_quantity(self.peak_bytes, "bytes"))
        if self.energy_joules is not None:
            yield format_quantity(self.energy_joules, "J")


@dataclass(frozen=True, repr=False)
class WatchReport(Displayed):
    """The report on a watched notebook up to now.

    Attributes
    ----------
    loops
        The steps of each loop.
    cells
        Each cell's resource usage; ``None`` where a value is not known.
    notes
        The current limitations, and what to do about them.
    """

    heading: str
    loops: Sequence[LoopSteps]
    cells: Sequence[WatchedCell]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; times in seconds, sizes in bytes, energy in joules."""
        cells = [asdict(each) for each in self.cells]
        for each in cells:
            del each["display_handle"]
        loops = msgspec.to_builtins(list(self.loops), enc_hook=str)
        return {"loops": loops, "cells": cells, "notes": list(self.notes)}

    def blocks(self) -> Iterator[Block]:
        """Yield the loops, the cells, and the notes."""
        yield Heading(self.heading)
        for head, rows in (
            (LOOP_HEAD, [_loop_row(each) for each in self.loops]),
            (CELL_HEAD, [_cell_row(each) for each in self.cells]),
        ):
            if rows:
                looks = ["name" if each in TEXT_COLUMNS else "value" for each in head]
                yield Table(rows, looks=looks, head=head)
        yield from (Line(each, "quiet") for each in self.notes)


def _loop_row(loop: LoopSteps) -> Sequence[str]:
    return (
        Message("{loop}" if loop.is_training else "{loop} (no gradients)", loop=loop.loader),
        format_quantity(loop.count),
        format_quantity(loop.samples_per_second),
        format_quantity(loop.tokens_per_second),
        format_quantity(loop.step_seconds, "seconds"),
        _used(loop),
        format_quantity(loop.wait_ratio, "ratio"),
        format_quantity(loop.idle_for_data_ratio, "ratio"),
        format_loader_settings(loop),
    )


def _used(loop: LoopSteps) -> str:
    ratio = loop.flops_utilization_ratio
    if ratio is not None:
        used = format_quantity(ratio, "ratio")
        return Message("{used} of {format} peak", used=used, format=loop.flops_format)
    if loop.flops_unknown is not None:
        return NOT_COUNTED[loop.flops_unknown]
    flops = loop.flops_per_step
    return format_quantity(flops and flops / loop.step_seconds, "flops_per_second")


def format_loader_settings(loop: LoopSteps) -> Message:
    """Return a short description of a loop's DataLoader: ``batch size 64, 4 workers, prefetch 3, pinned``, or ``none``."""
    if loop.bounded_by == "optimizer":
        return Message("none; steps of the optimizer")
    if loop.bounded_by == "module":
        return Message("none; calls of the model")
    setting = Setting(**{name: getattr(loop, name) for name in SETTINGS}).describe()
    if loop.batch_size is None:
        return Message("{setting}", setting=setting)
    size = Message("batch size {size}", size=loop.batch_size)
    return Message("{parts}", parts=[size, setting])


def _cell_row(cell: WatchedCell) -> Sequence[str]:
    return (
        f"[{cell.number}]",
        format_quantity(cell.wall_seconds, "seconds"),
        format_quantity(cell.busy_ratio, "ratio"),
        format_quantity(cell.peak_bytes, "bytes"),
        format_quantity(cell.energy_joules, "J"),
    )
