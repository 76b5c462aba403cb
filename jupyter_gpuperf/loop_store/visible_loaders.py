"""Which of a notebook's loaders are shown, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.loop_store.notebook_sessions import ToldNotebook
from jupyter_gpuperf.schemas.training import LoaderSteps, StepTally, WatchedLoader

WINDOW_SECONDS: Final = 10.0
"""What is shown as now: long enough for the driver's slow counters."""

FORGOTTEN_SECONDS: Final = 600.0
"""A loader without steps for so long is not shown any more, nor a notebook that hung up."""

Asked = tuple[int | None, WatchedLoader, Sequence[StepTally]]


def recent_loaders(notebook: ToldNotebook, now: float) -> list[Asked]:
    """Return each loader that gave a batch lately: its process, what it is, and its tallies of the window."""
    return [
        # Steps may be longer than the window: the newest tally is shown with its age.
        (pid, loader.info, loader.since(now - WINDOW_SECONDS) or [loader.tallies[-1]])
        for (pid, _), loader in notebook.loaders.items()
        if loader.tallies and now - loader.tallies[-1].ended_seconds < FORGOTTEN_SECONDS
    ]


def main_first(loaders: Sequence[LoaderSteps | None]) -> list[LoaderSteps]:
    """Return the known ones in the order in which they are shown: what trains, and lately, first."""
    return sorted(
        (each for each in loaders if each is not None),
        key=lambda each: (
            not each.is_training,
            -round(each.last_seconds / WINDOW_SECONDS),
            each.rank or 0,  # always the same one first: the band is of one rank
        ),
    )
