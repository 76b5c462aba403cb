"""Training loops of a recording, told as of now."""

from __future__ import annotations

import msgspec

from jupyter_gpuperf.schemas.training import TrainingNow


def shifted(played: TrainingNow, seconds: float) -> TrainingNow:
    """Return a message with all its times later by so much."""
    replace = msgspec.structs.replace
    return replace(
        played,
        time_seconds=played.time_seconds + seconds,
        notebooks=[
            replace(
                notebook,
                loaders=[
                    replace(each, last_seconds=each.last_seconds + seconds)
                    for each in notebook.loaders
                ],
                cells=[
                    replace(
                        each,
                        began_seconds=each.began_seconds + seconds,
                        ended_seconds=each.ended_seconds + seconds,
                    )
                    for each in notebook.cells
                ],
            )
            for notebook in played.notebooks
        ],
    )
