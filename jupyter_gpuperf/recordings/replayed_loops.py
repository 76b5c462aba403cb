"""Messages about training in recordings: without names as they are written, as of now as they are played."""

from __future__ import annotations

import msgspec

from jupyter_gpuperf.schemas import encode
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


def nameless(message: bytes) -> bytes:
    """Return an encoded message without the notebooks' names: a recording can go with a bug report."""
    now = msgspec.json.decode(message, type=TrainingNow)
    replace = msgspec.structs.replace
    return encode(
        replace(
            now,
            notebooks=[
                replace(
                    notebook,
                    notebook_path=None,
                    loaders=[replace(each, notebook="") for each in notebook.loaders],
                )
                for notebook in now.notebooks
            ],
        )
    )
