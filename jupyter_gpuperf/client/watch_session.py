"""The kernel's watch session: its loaders, and the thread that reports them to the server."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyter_gpuperf.device_memory.growth_search import HolderSearch
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.display.shell import running_shell
from jupyter_gpuperf.display.watch_report import WatchedCell, WatchReport
from jupyter_gpuperf.kernel_link.address import (
    NOTEBOOK_VARIABLE,
    connection_file,
    find_server,
    kernel_id,
    runtime_directories,
)
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.links import Links
from jupyter_gpuperf.kernel_link.run_address import RunAddress, find_any_server, run_of
from jupyter_gpuperf.loaders.printed_code import arguments_as_code
from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops import LoopWatch, TelemetryThread
from jupyter_gpuperf.loops.code_events import FIRST_PYTHON
from jupyter_gpuperf.loops.loop_watch import silence_in_child
from jupyter_gpuperf.loops.telemetry import ServerMessage
from jupyter_gpuperf.measure.device import started_cuda
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import LoopSteps


class WatchSession:
    """Everything that is watched in this kernel, or in this process of a script's run."""

    def __init__(self, run: RunAddress | None = None) -> None:
        self.watching = LoopWatch(
            name_of=name_in_notebook,
            arguments_of=arguments_in_notebook,
            growth_search=_growth_search,
        )
        self.telemetry: TelemetryThread | None = None
        self.listeners: list[Callable[[ServerMessage], None]] = []
        self._run = None if connection_file() is not None else run
        self._kernel_id = kernel_id() if self._run is None else self._run.id
        self._path = os.environ.get(NOTEBOOK_VARIABLE) if self._run is None else self._run.name
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    @property
    def connected(self) -> bool:
        """Whether a server is connected."""
        return self.telemetry is not None and self.telemetry.link.connected

    def report(self) -> None:
        """Start the telemetry thread, unless it is running."""
        if self.telemetry is not None and self.telemetry.is_alive():
            return
        self.telemetry = TelemetryThread(
            self.watching,
            ServerLink() if self._run is None else _links_of(self._run),
            hear=self._receive,
            kernel_id=self._kernel_id,
            notebook_path=self._path,
            is_script=self._run is not None,
        )
        self.telemetry.start()
        if self._run is not None:
            atexit.register(self.stop)  # the last steps are reported, also after an exception

    def stop(self) -> None:
        """Stop watching and reporting."""
        self.watching.stop()
        if self.telemetry is not None:
            self.telemetry.stop()
        self.telemetry = None

    def cell_ran(self, number: int, began_seconds: float, ended_seconds: float) -> None:
        """Report a cell to the server, and request its resource usage."""
        if self.telemetry is not None:
            self.telemetry.cell_ran(
                CellRan(
                    kernel_id=self._kernel_id,
                    notebook_path=self._path,
                    number=number,
                    began_seconds=began_seconds,
                    ended_seconds=ended_seconds,
                    device_uuids=self.watching.devices(),
                )
            )

    def loops(self) -> list[LoopSteps]:
        """Return each loader's step statistics since the watch began."""
        if self.telemetry is None:
            return []
        self.telemetry.tally()
        totals = dict(self.telemetry.totals)
        here: dict[str, Any] = {"pid": os.getpid(), "notebook": "", "busy": lambda *_: None}
        infos = [clock.info for clock in self.watching.clocks]
        loops = [steps_of(each, [totals[each.id]], **here) for each in infos if each.id in totals]
        return [each for each in loops if each]

    def _receive(self, message: ServerMessage) -> None:
        for listener in list(self.listeners):
            listener(message)

    def _in_child(self) -> None:
        silence_in_child(self.watching)
        self.telemetry = None


def build_watch_report(session: WatchSession, cells: Sequence[WatchedCell]) -> WatchReport:
    """Return the session's report, with the given cells."""
    return WatchReport(_heading(session), session.loops(), cells, notes=list(_notes(session)))


def _notes(session: WatchSession) -> Iterator[Message]:
    """Yield the current limitations, and what to do about them."""
    if not session.watching.patch.applied and not session.watching.clocks:
        return
    torch = sys.modules.get("torch")
    if not session.connected:
        yield Message("No Jupyter server with this extension: GPU load and energy are unknown.")
    if torch is None:
        yield Message("torch is not imported yet; loops are watched once it is.")
    elif (cuda := started_cuda(torch)) is None:
        yield Message("CUDA is not used yet; GPU idle time for data is measured once it is.")
    elif cuda.device_count() > 1:
        yield Message("Of this process's GPUs, only the one with the most memory in use is timed.")
        yield Message("Child processes are not watched; call gpuperf.watch(loader) in each.")
    if session.watching.watches_all and sys.version_info < FIRST_PYTHON and not session.loops():
        text = "Loops without a DataLoader and an optimizer, such as inference, are timed from Python 3.12 on."
        yield Message(text)
    yield from _loader_notes(session)


def _loader_notes(session: WatchSession) -> Iterator[Message]:
    """Yield why loaders are not shown, or no longer timed."""
    totals = session.telemetry.totals if session.telemetry else {}
    nested = "{loader} is not shown: another loop ran, or a cell ended, in each of its steps."
    stopped = "{loader} is no longer timed ({error}); the loop itself continues."
    grows = "GPU memory grows by {size} a step of {loader}: {holder} keeps something of each step."
    for clock in session.watching.clocks:
        growth = clock.info.memory_growth
        if growth is not None and growth.holder is not None:
            size = format_quantity(growth.bytes_per_step, "bytes")
            yield Message(grows, size=size, loader=clock.info.name, holder=growth.holder)
        total = totals.get(clock.info.id)
        if total and total.interrupted_count and not total.count:
            yield Message(nested, loader=clock.info.name)
        if clock.error is not None:
            yield Message(stopped, loader=clock.info.name, error=clock.error)


def _heading(session: WatchSession) -> Message:
    if session.watching.watches_all and session.connected:
        return Message(
            "Watching all loops with a torch DataLoader or optimizer; see the GPU panel's Training section."
        )
    if session.watching.watches_all:
        return Message("Watching all loops with a torch DataLoader or optimizer in this notebook.")
    if session.watching.patch.applied or session.watching.clocks:
        return Message("Watching the loaders given to gpuperf.watch().")
    return Message("Nothing is being watched. To watch all training loops: %gpuwatch on")


_session: list[WatchSession] = []


def session(run: RunAddress | None = None) -> WatchSession:
    """Return the session of this kernel, or of this process of ``run``; initially it watches nothing."""
    if not _session:
        _session.append(WatchSession(run or run_of()))
    return _session[0]


def _links_of(run: RunAddress) -> Links:
    import psutil  # noqa: F401  (find_any_server needs it in another thread; a child forked meanwhile could not import it)

    directories = runtime_directories()

    def find_where_it_is_shown() -> Path | None:
        return find_server(directories) or find_any_server(directories)

    runs = [ServerLink(functools.partial(Path, each)) for each in run.sockets]
    return Links([*runs, ServerLink(find_where_it_is_shown)])


def notebook_names() -> dict[str, Any]:
    """Return the notebook's variables; without a notebook, those of the script."""
    return Notebook(running_shell()).names


def name_in_notebook(target: object) -> str | None:
    """Return the name of the variable that holds the object, or the only DataLoader of which it is the index sampler."""
    holders: dict[int, str] = {}
    visible = [each for each in notebook_names().items() if not each[0].startswith("_")]
    for name, value in visible:
        with contextlib.suppress(Exception):  # an odd object of the user's, such as a dead proxy
            if value is target or (_is_loader(value) and value._index_sampler is target):
                holders.setdefault(id(value), name)
    return next(iter(holders.values())) if len(holders) == 1 else None


def arguments_in_notebook(name: str) -> list[str] | None:
    """Return a named DataLoader's arguments as code, for a finding; ``None`` if it is not a DataLoader."""
    names = notebook_names()
    loader = names.get(name)
    return arguments_as_code(loader, name, names) if _is_loader(loader) else None


def _growth_search(device: int) -> HolderSearch:
    torch = sys.modules["torch"]
    return HolderSearch(torch, Notebook(running_shell()), torch.device("cuda", device))


def _is_loader(value: Any) -> bool:
    loader_class = getattr(sys.modules.get("torch.utils.data.dataloader"), "DataLoader", None)
    # Not isinstance(): it asks the object itself, and some stand-ins for other objects raise.
    return loader_class is not None and issubclass(type(value), loader_class)
