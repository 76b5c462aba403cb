"""Store the server's data about the training loops of notebooks, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.notebook_sessions import (
    WINDOW_SECONDS,
    NotebookSession,
    NotebookSessions,
    SendToKernel,
    TrainingDump,
    notebooks_of,
)
from jupyter_gpuperf.loop_store.step_window import main_first, steps_of
from jupyter_gpuperf.recordings.replayed_loops import shifted
from jupyter_gpuperf.sampling.history import columns_of
from jupyter_gpuperf.schemas import Frame
from jupyter_gpuperf.schemas.cells import CellMark, CellRan, Footprint
from jupyter_gpuperf.schemas.training import (
    ExplainNow,
    LoopSteps,
    NotebookTraining,
    Steps,
    StepTally,
    Training,
    TrainingNow,
    WatchedLoop,
)

SEND_SECONDS: Final = 0.9
"""Minimum time between two messages to the pages."""

SHOWN_CELLS: Final = 50

SERIES: Final = (
    *("samples_per_second", "tokens_per_second", "flops_utilization_ratio"),
    "step_seconds",
    "wait_ratio",
    "busy_ratio",
    "idle_for_data_ratio",
    "idle_for_host_ratio",
)
"""Figures whose history is kept for the main loop of each notebook."""


_CurrentNotebook = tuple[
    NotebookSession,
    Sequence[tuple[int | None, WatchedLoop, Sequence[StepTally]]],
    Sequence[CellMark],
]


@dataclass(eq=False)
class TrainingStore:
    """Keeps the reports of kernels. The event loop and the sampler write to the store; any thread may read it.

    Parameters
    ----------
    share
        Returns the busy share and the energy of devices over past time spans.
    replayed_training
        Returns the current training of a replayed recording; ``None`` if there is none.
    on_active
        Called when the first notebook connects (``True``) or the last one disconnects (``False``). While any is
        connected, devices are read more often.
    now
        Returns the current Unix time.
    device_of
        Returns the UUID of the device that a process uses; ``None`` if it is unknown. Called for loops whose own process
        does not say, such as those of JAX.
    """

    share: DeviceUsage
    replayed_training: Callable[[], TrainingNow | None] = lambda: None
    on_active: Callable[[bool], None] = lambda active: None
    now: Callable[[], float] = time.time
    device_of: Callable[[int], str | None] = lambda pid: None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._notebooks = NotebookSessions()
        self._changed = False
        self._sent_seconds = 0.0
        self._shown_count = 0
        self._replayed: TrainingNow | None = None
        self._replay_later_seconds = 0.0
        self.latest = TrainingNow(time_seconds=0.0, window_seconds=WINDOW_SECONDS, notebooks=[])
        """The last message sent to the pages."""

    def add_connection(self, key: str, pid: int | None, send: SendToKernel) -> None:
        """Add a kernel's connection; ``send`` sends the kernel a message."""
        with self._lock:
            self._notebooks.of(key).add_connection(pid, send)
            first = self._notebooks.connections == 1
            self._changed = True
        if first:
            self.on_active(True)

    def remove_connection(self, key: str, send: SendToKernel) -> None:
        """Remove a kernel's connection; its reports stay for a while."""
        with self._lock:
            self._notebooks.remove_connection(key, send)
            last = self._notebooks.connections == 0
            self._changed = True
        if last:
            self.on_active(False)

    def store_steps(self, key: str, pid: int | None, steps: Steps) -> None:
        """Store the steps that a kernel reported."""
        with self._lock:
            self._notebooks.of(key).store_steps(pid, steps)
            self._changed = True

    def set_path(self, key: str, path: str | None) -> None:
        """Set the path of a kernel's notebook. Unlike the kernel, the server knows the path after a rename."""
        with self._lock:
            notebook = self._notebooks.get(key)
            if notebook is not None and path is not None:
                notebook.path = path

    def cell_ran(self, key: str, cell: CellRan) -> None:
        """Store the time span of a cell."""
        with self._lock:
            self._notebooks.of(key).cell_ran(cell)
            self._changed = True

    def footprint(self, cell: CellRan) -> Footprint:
        """Return the GPU usage of a cell. It reads the history, so don't call it on the event loop."""
        span = (cell.began_seconds, cell.ended_seconds)
        uuids = dict.fromkeys(cell.device_uuids)
        busy = [found for uuid in uuids if (found := self.share.busy(uuid, *span))]
        energy = [self.share.energy_joules(uuid, *span) for uuid in uuids]
        known = [each for each in energy if each is not None]
        return Footprint(
            number=cell.number,
            busy_percent=sum(each.percent for each in busy) / len(busy) if busy else None,
            busy_metric=busy[0].metric if busy else None,
            energy_joules=sum(known) if known and len(known) == len(energy) else None,
        )

    def explain(self, key: str, steps: int) -> None:
        """Ask a notebook to profile the next ``steps`` steps of its loop.

        Raises
        ------
        NotFound
            ``notebook_not_watching``: the notebook is not connected.
        """
        with self._lock:
            notebook = self._notebooks.get(key)
            is_notebook = notebook is not None and not notebook.is_script
            connections = list(notebook.connections) if notebook and is_notebook else []
        if not connections:
            hint = "Run %gpuwatch on in it first."
            raise NotFound("notebook_not_watching", "This notebook is not being watched.", hint)
        _, send = connections[0]  # of the kernel: its ranks have no cell for the profile
        send(ExplainNow(steps=steps))

    def steps_over(self, seconds: float) -> list[LoopSteps]:
        """Return the step figures of each loader over the last ``seconds``, without loaders that had no step."""
        since = self.now() - seconds
        with self._lock:
            reports = [
                (notebook, pid, loader.info, tallies)
                for notebook in self._notebooks.values()
                for (pid, _), loader in notebook.loaders.items()
                if (tallies := loader.since(since))
            ]
        steps = [self._steps(*each) for each in reports]
        # A recording contains the figures that were shown: means over a few seconds, which are good enough for rules.
        replayed_training = [each for notebook in self._of_replay() for each in notebook.loaders]
        return [
            each for each in (*steps, *replayed_training) if each and each.last_seconds >= since
        ]

    def message_after(self, frame: Frame) -> TrainingNow | None:
        """Return the message that is due for the pages after this tick of the sampler, or ``None`` if none is due."""
        replayed_training = self.replayed_training()
        if replayed_training is not None and replayed_training is not self._replayed:
            self._replayed = replayed_training
            self._replay_later_seconds = self.now() - replayed_training.time_seconds
            self._changed = True
        if frame.time_seconds - self._sent_seconds < SEND_SECONDS:
            return None
        # Without a report, the lists only become shorter: loops end.
        now = self.now()
        current = self._current(now)
        if not self._changed and _count(current) == self._shown_count:
            return None
        self._changed = False
        self._sent_seconds = frame.time_seconds
        self._shown_count = _count(current)
        self.latest = message = self._message(current, now)
        with self._lock:
            for shown in message.notebooks:
                notebook = self._notebooks.of(shown.key)
                for main in shown.loaders[:1]:
                    known = {name: getattr(main, name) for name in SERIES}
                    values = {name: each for name, each in known.items() if each is not None}
                    notebook.keep_values(now, main.last_seconds, values)
        return message

    def training(self, *, seconds: float, step_seconds: float) -> Training:
        """Return the current state of all notebooks, and their last ``seconds`` in time steps of ``step_seconds``."""
        now = self.now()
        message, oldest = self._message(self._current(now), now), now - seconds
        with self._lock:
            pieces = {
                key: list(each.track.pieces(oldest, step_seconds, SERIES))
                for key, each in self._notebooks.items()
            }
            paths = {key: each.path for key, each in self._notebooks.items()}
        columns = {key: columns_of(each, SERIES, step_seconds) for key, each in pieces.items()}
        history = {key: each for key, each in columns.items() if each.times_seconds}
        return Training(now=message, history=history, paths={key: paths[key] for key in history})

    def dump(self, *, full: bool) -> TrainingDump:
        """Return a copy of the notebooks' past. ``full`` includes every tick, not only the coarse time steps."""
        with self._lock:
            return self._notebooks.dump(full=full)

    def prepare_restore(self, dump: TrainingDump) -> Callable[[], None]:
        """Check a dump, and return a function that makes it the past of this store.

        Nothing changes until the function is called.

        Raises
        ------
        ValueError
            The dump is inconsistent, or was saved at other resolutions.
        """
        earlier = notebooks_of(dump)

        def take() -> None:
            with self._lock:
                self._notebooks = self._notebooks.after(earlier)

        return take

    def _message(self, current: Sequence[_CurrentNotebook], now: float) -> TrainingNow:
        notebooks = [
            NotebookTraining(
                key=notebook.key,
                pid=notebook.pid,
                notebook_path=notebook.path,
                is_script=notebook.is_script,
                connected=bool(notebook.connections),
                loaders=main_first([self._steps(notebook, *loader) for loader in loaders]),
                cells=list(cells),
            )
            for notebook, loaders, cells in current
        ]
        notebooks += self._of_replay()
        return TrainingNow(time_seconds=now, window_seconds=WINDOW_SECONDS, notebooks=notebooks)

    def _current(self, now: float) -> list[_CurrentNotebook]:
        with self._lock:
            return [
                (notebook, notebook.current_loaders(now), list(notebook.cells)[-SHOWN_CELLS:])
                for notebook in self._notebooks.values()
                if notebook.is_current(now)
            ]

    def _of_replay(self) -> list[NotebookTraining]:
        if self._replayed is None:
            return []
        return shifted(self._replayed, self._replay_later_seconds).notebooks

    def _steps(
        self,
        notebook: NotebookSession,
        pid: int | None,
        info: WatchedLoop,
        tallies: Sequence[StepTally],
    ) -> LoopSteps | None:
        names = {"notebook": notebook.path or notebook.key, "notebook_key": notebook.key}
        if info.device_uuid is None and pid is not None:
            info = structs.replace(info, device_uuid=self.device_of(pid))
        share = self.share
        return steps_of(info, tallies, pid=pid, busy=share.busy, clock_mhz=share.clock_mhz, **names)


def _count(current: Sequence[_CurrentNotebook]) -> int:
    """Return how many notebooks and loops are shown."""
    return len(current) + sum(len(loaders) for _, loaders, _ in current)
