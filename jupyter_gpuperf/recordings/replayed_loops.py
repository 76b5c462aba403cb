"""Training loops of a recording, presented as if they ran here and now."""

from __future__ import annotations

from msgspec.structs import replace

from jupyter_gpuperf.schemas.cells import CellMark
from jupyter_gpuperf.schemas.training import LoopSteps, NotebookTraining, TrainingNow


def shifted(played: TrainingNow, seconds: float) -> TrainingNow:
    """Return a message with all times shifted by ``seconds``."""

    def loader(each: LoopSteps) -> LoopSteps:
        return replace(each, last_seconds=each.last_seconds + seconds)

    def cell(each: CellMark) -> CellMark:
        began, ended = each.began_seconds + seconds, each.ended_seconds + seconds
        return replace(each, began_seconds=began, ended_seconds=ended)

    def notebook(each: NotebookTraining) -> NotebookTraining:
        return replace(each, loaders=[*map(loader, each.loaders)], cells=[*map(cell, each.cells)])

    later = played.time_seconds + seconds
    return replace(played, time_seconds=later, notebooks=[*map(notebook, played.notebooks)])


def with_uuid_prefix(played: TrainingNow, prefix: str) -> TrainingNow:
    """Return a message with ``prefix`` added to the devices' UUIDs."""

    def loader(each: LoopSteps) -> LoopSteps:
        return replace(each, device_uuid=each.device_uuid and prefix + each.device_uuid)

    def notebook(each: NotebookTraining) -> NotebookTraining:
        return replace(each, loaders=[*map(loader, each.loaders)])

    return replace(played, notebooks=[*map(notebook, played.notebooks)])
