"""Keep the notebooks that report their loops, and their latest reports, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from jupyter_gpuperf.sampling.tiers import COARSE_TIERS, TieredHistory, TieredHistoryDump
from jupyter_gpuperf.schemas.cells import CellMark, CellRan
from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop, merged

TALLY_SECONDS: Final = 0.5
"""Tallies are merged until they span this time."""
KEPT_TALLIES: Final = 1200
"""Number of tallies kept per loader; they span at least ten minutes."""

MOST_NOTEBOOKS: Final = 32
MOST_LOADERS: Final = 16
"""Maximum number of loaders per process: one with many must not displace those of other ranks."""
KEPT_CELLS: Final = 200

STEPS_SECONDS: Final = [size.step_seconds for size in COARSE_TIERS]

WINDOW_SECONDS: Final = 10.0
"""Time span whose mean is shown as the current state: long enough for the driver's slow counters."""

ENDED_SECONDS: Final = 60.0
ENDED_STEPS: Final = 10
"""A loop has ended when it had no step for ``ENDED_SECONDS`` and for as long as ``ENDED_STEPS`` of its steps; a loop
whose process has disconnected, when it had none for ``WINDOW_SECONDS``: a lost connection is restored sooner."""

SKEW_SECONDS: Final = 1.0
"""How far the time of a step may be ahead of the server's clock before the clock counts as set back."""

SendToKernel = Callable[[msgspec.Struct], None]
Values = Mapping[str, float]


class NotebookDump(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a notebook's session that is saved to a file: its past, without the current state of its loops."""

    key: str
    path: str | None
    seen_seconds: float
    track_until_seconds: float = msgspec.field(name="told_until_seconds")
    cells: list[CellMark]
    track: TieredHistoryDump


class TrainingDump(msgspec.Struct, frozen=True, kw_only=True):
    """The saved past of all notebooks, oldest notebook first."""

    steps_seconds: list[float]
    notebooks: list[NotebookDump]


class ReportedLoop:
    """One loader of one notebook, and its latest tallies."""

    def __init__(self, info: WatchedLoop) -> None:
        self.info = info
        self.tallies: deque[StepTally] = deque(maxlen=KEPT_TALLIES)

    def add(self, tally: StepTally) -> None:
        """Store a tally, or merge it into the last one while the two span less than ``TALLY_SECONDS``."""
        if self.tallies and tally.ended_seconds - self.tallies[-1].began_seconds < TALLY_SECONDS:
            self.tallies[-1] = merged(self.tallies[-1], tally)
        else:
            self.tallies.append(tally)

    def has_ended(self, now: float, *, connected: bool) -> bool:
        """Return whether the loop has ended, or not yet had a step."""
        if not self.tallies:
            return True
        last = self.tallies[-1]
        usual_seconds = ENDED_STEPS * last.step_seconds / max(1, last.count)
        silent_seconds = max(ENDED_SECONDS, usual_seconds) if connected else WINDOW_SECONDS
        return now - last.ended_seconds >= silent_seconds

    def since(self, time_seconds: float) -> list[StepTally]:
        """Return the tallies that ended at this Unix time or later, oldest first."""
        newest_first = reversed(self.tallies)
        return [*takewhile(lambda each: each.ended_seconds >= time_seconds, newest_first)][::-1]


class NotebookSession:
    """One watched notebook. Each of its processes (the kernel and its ranks) has its own connection."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.path: str | None = None
        self.is_script = False
        self.pid: int | None = None
        self.loaders: OrderedDict[tuple[int | None, int], ReportedLoop] = OrderedDict()
        self.cells: deque[CellMark] = deque(maxlen=KEPT_CELLS)
        self.track = TieredHistory(KEPT_TALLIES, COARSE_TIERS)
        self.track_until_seconds = 0.0
        """End of the latest step in the track, as Unix time."""
        self.seen_seconds = 0.0
        self.connections: list[tuple[int | None, SendToKernel]] = []

    def add_connection(self, pid: int | None, send: SendToKernel) -> None:
        """Add the connection of a process. Drop the reports of processes that ended, such as before a restart."""
        self.connections.append((pid, send))
        self.pid = self.connections[0][0]  # the kernel connects before its child processes
        alive = {each for each, _ in self.connections}
        for key in [key for key in self.loaders if key[0] not in alive]:
            del self.loaders[key]

    def remove_connection(self, send: SendToKernel) -> None:
        """Remove the connection of a process; its reports stay."""
        self.connections = [each for each in self.connections if each[1] is not send]

    def store_steps(self, pid: int | None, steps: Steps) -> None:
        """Store the loaders and tallies that a process reported."""
        self.path, self.is_script = self.path or steps.notebook_path, steps.is_script
        for info in steps.loaders:
            loader = self.loaders.setdefault((pid, info.id), ReportedLoop(info))
            loader.info = info
            self.loaders.move_to_end((pid, info.id))
        for key in [key for key in self.loaders if key[0] == pid][:-MOST_LOADERS]:
            del self.loaders[key]
        for tally in steps.tallies:
            found = self.loaders.get((pid, tally.loader))
            if found is not None:
                found.add(tally)
                self.seen_seconds = max(self.seen_seconds, tally.ended_seconds)

    def cell_ran(self, cell: CellRan) -> None:
        """Store the time span of a cell."""
        self.path = self.path or cell.notebook_path
        self.seen_seconds = max(self.seen_seconds, cell.ended_seconds)
        self.cells.append(msgspec.convert(cell, CellMark, from_attributes=True))

    def is_current(self, now: float) -> bool:
        """Return whether the notebook is connected, or sent a report a moment ago."""
        return bool(self.connections) or now - self.seen_seconds < WINDOW_SECONDS

    def current_loaders(
        self, now: float
    ) -> list[tuple[int | None, WatchedLoop, Sequence[StepTally]]]:
        """Return (process id, description, tallies in the window) of each loader whose loop has not ended."""
        connected = {pid for pid, _ in self.connections}
        return [
            # Steps may be longer than the window; the latest tally is then shown with its age.
            (pid, loader.info, loader.since(now - WINDOW_SECONDS) or [loader.tallies[-1]])
            for (pid, _), loader in self.loaders.items()
            if not loader.has_ended(now, connected=pid in connected)
        ]

    def keep_values(self, time_seconds: float, steps_until_seconds: float, values: Values) -> None:
        """Add values to the track if there were new steps: a stopped loop leaves a gap, not a flat line."""
        if self.track_until_seconds > time_seconds + SKEW_SECONDS:  # the clock was set back
            self.track.forget_from(time_seconds)
            self.track_until_seconds = 0.0
        if steps_until_seconds > self.track_until_seconds:
            self.track_until_seconds = steps_until_seconds
            self.track.append(time_seconds, values)

    def dump(self, *, full: bool) -> NotebookDump:
        """Return a copy of the notebook's past. ``full`` includes every tick, not only the coarse time steps."""
        return NotebookDump(
            key=self.key,
            path=self.path,
            seen_seconds=self.seen_seconds,
            track_until_seconds=self.track_until_seconds,
            cells=list(self.cells),
            track=self.track.dump(full=full),
        )

    def prepend_past(self, earlier: NotebookSession) -> None:
        """Put the saved history before what the kernel has reported since the server started."""
        self.path = self.path or earlier.path
        self.track, self.track_until_seconds = earlier.track, earlier.track_until_seconds
        self.cells.extendleft(reversed(earlier.cells))


def notebooks_of(dump: TrainingDump) -> list[NotebookSession]:
    """Return the saved notebooks, without connections.

    Raises
    ------
    ValueError
        The columns of a notebook differ in length, or were saved at other resolutions.
    """
    if dump.steps_seconds != STEPS_SECONDS:
        raise ValueError("other resolutions")
    return [_notebook_of(each) for each in dump.notebooks]


def _notebook_of(dump: NotebookDump) -> NotebookSession:
    notebook = NotebookSession(dump.key)
    notebook.path = dump.path
    notebook.seen_seconds = dump.seen_seconds
    notebook.track_until_seconds = dump.track_until_seconds
    notebook.cells.extend(dump.cells)
    notebook.track.restore(dump.track)
    return notebook


class NotebookSessions(dict[str, NotebookSession]):
    """Session key → notebook, for all notebooks that reported; the oldest disconnected ones are dropped."""

    def dump(self, *, full: bool) -> TrainingDump:
        """Return a copy of the notebooks' past. ``full`` includes every tick, not only the coarse time steps."""
        return TrainingDump(
            steps_seconds=STEPS_SECONDS, notebooks=[each.dump(full=full) for each in self.values()]
        )

    def after(self, earlier: Sequence[NotebookSession]) -> NotebookSessions:
        """Return the saved notebooks ``earlier``, followed by those that have reported since."""
        before = {each.key: each for each in earlier[-MOST_NOTEBOOKS:]}
        for key, notebook in self.items():
            if key in before:
                notebook.prepend_past(before.pop(key))
        return NotebookSessions(before | self)

    def of(self, key: str) -> NotebookSession:
        """Return the notebook with this key; create it if there is none."""
        if key not in self:
            silent = [each for each, notebook in self.items() if not notebook.connections]
            for old in silent[: max(0, len(self) + 1 - MOST_NOTEBOOKS)]:
                del self[old]
            self[key] = NotebookSession(key)
        return self[key]

    def remove_connection(self, key: str, send: SendToKernel) -> None:
        """Remove the connection of a process; drop the notebook if it is the last one and nothing was reported."""
        notebook = self.of(key)
        notebook.remove_connection(send)
        if not notebook.connections and not notebook.seen_seconds:
            del self[key]

    @property
    def connections(self) -> int:
        """The number of connected processes."""
        return sum(len(each.connections) for each in self.values())
