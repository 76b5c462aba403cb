"""What ``%gpuwatch report`` says of this kernel's watch, and of what it can't see."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jupyter_gpuperf.client.watch_session import Session
from jupyter_gpuperf.display.cell_line import Cell
from jupyter_gpuperf.display.watch_report import Report


def report_of(session: Session, cells: Sequence[Cell]) -> Report:
    """Return how the watch stands, with the cells given."""
    loops = session.loops()
    return Report(heading=_heading(session), loops=loops, cells=cells, notes=notes_of(session))


def notes_of(session: Session) -> list[str]:
    """Return what can't be seen now, each with what to do."""
    if not session.watching.patch.applied and not session.watching.clocks:
        return []
    torch = sys.modules.get("torch")
    notes = []
    if not session.connected:
        notes.append(
            "No Jupyter server with this extension was found: how busy the GPU is and its energy are not "
            "known here."
        )
    if torch is None:
        notes.append("torch is not imported yet: its loaders are watched as soon as it is.")
    elif not torch.cuda.is_initialized():
        notes.append("CUDA is not used yet: the GPU's idle time for data is known from then on.")
    elif torch.cuda.device_count() > 1:
        notes.append(
            "Of several GPUs in this process, the one that holds most memory is timed. Processes that this "
            "notebook starts are not watched: call gpuperf.watch(loader) in each."
        )
    notes += [
        f"{clock.info.name} is not timed any more ({clock.error}); the loop itself goes on."
        for clock in session.watching.clocks
        if clock.error is not None
    ]
    return notes


def _heading(session: Session) -> str:
    if session.on:
        told = "The GPU panel's Training section shows it live." if session.connected else ""
        return f"Watching every torch DataLoader of this notebook. {told}".strip()
    if session.watching.patch.applied or session.watching.clocks:
        return "Watching the loaders that gpuperf.watch() was given."
    return "Nothing is watched. %gpuwatch on watches every torch DataLoader of this notebook."
