"""The notebooks that reported their loops, and their latest reports, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from jupyter_gpuperf.loop_store.step_window import merged
from jupyter_gpuperf.sampling.tiers import COARSE, TieredHistory, TieredHistoryDump
from jupyter_gpuperf.schemas.training import CellMark, CellRan, Steps, StepTally, WatchedLoader

TALLY_SECONDS: Final = 0.5
KEPT_TALLIES: Final = 1200
"""Per loader: ten minutes."""

MOST_NOTEBOOKS: Final = 32
MOST_LOADERS: Final = 16
KEPT_CELLS: Final = 200

STEPS_SECONDS: Final = [size.step_seconds for size in COARSE]

WINDOW_SECONDS: Final = 10.0
"""The window shown as the current state: long enough for the driver's slow counters."""

FORGOTTEN_SECONDS: Final = 600.0
"""A loader without steps for this long is no longer shown, nor is a notebook that has disconnected."""

SKEW_SECONDS: Final = 1.0
"""A step may be this far ahead of the server's clock."""

SendToKernel = Callable[[msgspec.Struct], None]
Values = Mapping[str, float]


class NotebookDump(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a notebook that is saved to a file: its past, not what its loops do now."""

    key: str
    path: str | None
    seen_seconds: float
    told_until_seconds: float
    cells: list[CellMark]
    track: TieredHistoryDump


class TrainingDump(msgspec.Struct, frozen=True, kw_only=True):
    """The past of all notebooks, oldest first."""

    steps_seconds: list[float]
    notebooks: list[NotebookDump]


class ReportedLoader:
    """One loader of one notebook."""

    def __init__(self, info: WatchedLoader) -> None:
        self.info = info
        self.tallies: deque[StepTally] = deque(maxlen=KEPT_TALLIES)

    def add(self, tally: StepTally) -> None:
        """Store a tally; short ones are merged."""
        if self.tallies and tally.ended_seconds - self.tallies[-1].began_seconds < TALLY_SECONDS:
            self.tallies[-1] = merged(self.tallies[-1], tally)
        else:
            self.tallies.append(tally)

    def since(self, time_seconds: float) -> list[StepTally]:
        """Return the tallies that ended at this time or later, oldest first."""
        newest_first = reversed(self.tallies)
        return [*takewhile(lambda each: each.ended_seconds >= time_seconds, newest_first)][::-1]


class NotebookSession:
    """One watched notebook; each of its processes has its own connection."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.path: str | None = None
        self.pid: int | None = None
        self.loaders: OrderedDict[tuple[int | None, int], ReportedLoader] = OrderedDict()
        self.cells: deque[CellMark] = deque(maxlen=KEPT_CELLS)
        self.track = TieredHistory(KEPT_TALLIES, COARSE)
        self.told_until_seconds = 0.0
        """End of the latest step in the track."""
        self.seen_seconds = 0.0
        self.connections: list[tuple[int | None, SendToKernel]] = []

    def connected(self, pid: int | None, send: SendToKernel) -> None:
        """Add a process. Reports of processes that are gone date from before a restart and are dropped."""
        self.connections.append((pid, send))
        self.pid = self.connections[0][0]  # later ones are its children
        alive = {each for each, _ in self.connections}
        for key in [key for key in self.loaders if key[0] not in alive]:
            del self.loaders[key]

    def disconnected(self, send: SendToKernel) -> None:
        """Remove a process; its reports stay."""
        self.connections = [each for each in self.connections if each[1] is not send]

    def store_steps(self, pid: int | None, steps: Steps) -> None:
        """Store what a process reports."""
        self.path = self.path or steps.notebook_path
        for info in steps.loaders:
            loader = self.loaders.setdefault((pid, info.id), ReportedLoader(info))
            loader.info = info
            self.loaders.move_to_end((pid, info.id))
        while len(self.loaders) > MOST_LOADERS:
            self.loaders.popitem(last=False)
        for tally in steps.tallies:
            found = self.loaders.get((pid, tally.loader))
            if found is not None:
                found.add(tally)
                self.seen_seconds = max(self.seen_seconds, tally.ended_seconds)

    def cell_ran(self, cell: CellRan) -> None:
        """Store when a cell ran."""
        self.path = self.path or cell.notebook_path
        self.seen_seconds = max(self.seen_seconds, cell.ended_seconds)
        self.cells.append(msgspec.convert(cell, CellMark, from_attributes=True))

    def recent_loaders(
        self, now: float
    ) -> list[tuple[int | None, WatchedLoader, Sequence[StepTally]]]:
        """Return each loader with a recent batch: its process, its description, and its tallies of the window."""
        return [
            # Steps may be longer than the window: the latest tally is shown with its age.
            (pid, loader.info, loader.since(now - WINDOW_SECONDS) or [loader.tallies[-1]])
            for (pid, _), loader in self.loaders.items()
            if loader.tallies and now - loader.tallies[-1].ended_seconds < FORGOTTEN_SECONDS
        ]

    def keep_values(self, time_seconds: float, steps_until_seconds: float, values: Values) -> None:
        """Add to the track, unless no step came since: a stopped loop leaves a gap, not a flat line."""
        if self.told_until_seconds > time_seconds + SKEW_SECONDS:  # the clock was set back
            self.track.forget_from(time_seconds)
            self.told_until_seconds = 0.0
        if steps_until_seconds > self.told_until_seconds:
            self.told_until_seconds = steps_until_seconds
            self.track.append(time_seconds, values)

    def dump(self, *, full: bool) -> NotebookDump:
        """Return a copy of its past; ``full``: every tick too, not only the coarse steps."""
        return NotebookDump(
            key=self.key,
            path=self.path,
            seen_seconds=self.seen_seconds,
            told_until_seconds=self.told_until_seconds,
            cells=list(self.cells),
            track=self.track.dump(full=full),
        )

    def prepend_past(self, earlier: NotebookSession) -> None:
        """Prepend what the file held: this kernel reported before the file was read."""
        self.path = self.path or earlier.path
        self.track, self.told_until_seconds = earlier.track, earlier.told_until_seconds
        self.cells.extendleft(reversed(earlier.cells))


def notebooks_of(dump: TrainingDump) -> list[NotebookSession]:
    """Return the notebooks as they were saved, without connections.

    Raises
    ------
    ValueError
        A notebook's columns don't fit each other, or were recorded at other resolutions.
    """
    if dump.steps_seconds != STEPS_SECONDS:
        raise ValueError("other resolutions")
    return [_notebook_of(each) for each in dump.notebooks]


def _notebook_of(dump: NotebookDump) -> NotebookSession:
    notebook = NotebookSession(dump.key)
    notebook.path = dump.path
    notebook.seen_seconds, notebook.told_until_seconds = dump.seen_seconds, dump.told_until_seconds
    notebook.cells.extend(dump.cells)
    notebook.track.restore(dump.track)
    return notebook


class NotebookSessions(dict[str, NotebookSession]):
    """All notebooks that ever reported, by key; the oldest are forgotten."""

    def dump(self, *, full: bool) -> TrainingDump:
        """Return a copy of their past; ``full``: every tick too, not only the coarse steps."""
        return TrainingDump(
            steps_seconds=STEPS_SECONDS, notebooks=[each.dump(full=full) for each in self.values()]
        )

    def after(self, earlier: Sequence[NotebookSession]) -> NotebookSessions:
        """Return the saved notebooks, then those that have reported since."""
        before = {each.key: each for each in earlier[-MOST_NOTEBOOKS:]}
        for key, notebook in self.items():
            if key in before:
                notebook.prepend_past(before.pop(key))
        return NotebookSessions(before | self)

    def of(self, key: str) -> NotebookSession:
        """Return a notebook; create it if there is none."""
        if key not in self:
            silent = [each for each, notebook in self.items() if not notebook.connections]
            for old in silent[: max(0, len(self) + 1 - MOST_NOTEBOOKS)]:
                del self[old]
            self[key] = NotebookSession(key)
        return self[key]

    @property
    def connections(self) -> int:
        """The number of connected processes."""
        return sum(len(each.connections) for each in self.values())
