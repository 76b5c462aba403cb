"""Show what a few profiled steps did, below the cell that runs the loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from IPython.display import display

from jupyter_gpuperf.display.document import Block, Displayed, Line, Sentence, Table
from jupyter_gpuperf.display.numbers import quantity_words
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loops import Watching
from jupyter_gpuperf.loops.explaining import Explanation, Share
from jupyter_gpuperf.loops.profile_window import ProfileWindow

LONGEST_NAME = 70


def arm(watching: Watching, steps: int) -> None:
    """Profile the next steps of a watched loop and show the result.

    Raises
    ------
    BadRequest
        ``nothing_watched``: no loop is watched, so there are no steps to profile.
    """
    torch = sys.modules.get("torch")
    if not watching.patch.applied or torch is None:
        message = "No torch loop is watched, so there is none to look into."
        hint = "Run %gpuwatch on, import torch, then ask again."
        raise BadRequest("nothing_watched", message, hint)

    def finish() -> None:
        watching.patch.around = None

    watching.patch.around = ProfileWindow(torch, steps, _show, finish).draw


def _show(found: Explanation | None, why: str) -> None:
    refused = Sentence(f"The steps could not be profiled: {why}.")
    display(refused if found is None else ProfileView(found))


class ProfileView(Displayed):
    """The notebook view of a profile.

    Attributes
    ----------
    data
        All figures, in seconds per step.
    """

    def __init__(self, data: Explanation) -> None:
        self.data = data

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        return asdict(self.data)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the rows: label, share of a step, and details."""
        data = self.data
        plain = data.plain_step_seconds
        slower = "" if plain is None else f"{_time(plain)} without the profiler"
        rows = [
            ("step, profiled", _time(data.step_seconds), slower),
            ("wait for data", self._of_step(data.wait_seconds), "host, in next()"),
        ]
        if data.busy_seconds is not None:
            rows.append(("GPU busy", self._of_step(data.busy_seconds), self._kernels()))
            in_next = self._of_step(data.idle_in_next_seconds or 0.0)
            elsewhere = self._of_step(data.idle_elsewhere_seconds or 0.0)
            gaps = f"{data.gaps_per_step:.0f} gaps a step: launches, synchronisation, Python"
            rows.append(("GPU idle, waiting for data", in_next, ""))
            rows.append(("GPU idle otherwise", elsewhere, gaps))
        for title, shares in (
            ("copy", data.copies),
            ("host waits in", data.syncs),
            ("kernel", data.kernels),
            ("operation", data.operations if data.busy_seconds is None else data.operations[:3]),
        ):
            rows += [self._row(title, each) for each in shares]
        return rows

    def blocks(self) -> Iterator[Block]:
        """Yield a row per share of a step, and the caveats."""
        yield Table(self.rows(), looks=("name", "value", "quiet"))
        yield Line(
            f"{self.data.steps} steps; profiling took {_time(self.data.cost_seconds)} altogether; its trace is deleted.",
            "quiet",
        )
        yield Line("The profiler slows the host, so gaps are longer here than without it.", "quiet")

    def _row(self, title: str, share: Share) -> tuple[str, str, str]:
        name = share.name[:LONGEST_NAME]
        return title, self._of_step(share.seconds_per_step), f"{name} × {share.per_step:.3g}"

    def _kernels(self) -> str:
        mean = self.data.kernel_seconds
        each = "" if mean is None else f", {_time(mean)} each"
        return f"{self.data.kernels_per_step:.0f} kernels a step{each}"

    def _of_step(self, seconds: float) -> str:
        return f"{_time(seconds)} · {100 * seconds / self.data.step_seconds:.0f} %"


def _time(seconds: float) -> str:
    return quantity_words(seconds, "seconds")
