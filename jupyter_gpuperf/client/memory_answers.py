"""Answer the server's questions about this kernel's memory, also while a cell runs.

A thread searches, in slices. Only freeing needs the notebook's own thread, because it runs the user's finalizers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.kernel_link.address import NOTEBOOK_VARIABLE, SERVER_PID_VARIABLE, kernel_id
from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
from jupyter_gpuperf.measure.device import started_cuda, uuid_of
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import ErrorInfo, MemoryOwner, MemoryReport, OutOfMemory, encode
from jupyter_gpuperf.schemas.kernel_link import (
    Attached,
    MemoryAnswer,
    MemoryFailure,
    MemoryRequest,
)

POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 2.0
"""How long freeing waits for the notebook's thread, in which a cell may run."""
LONGEST_NAME: Final = 200
MOST_HOLDERS: Final = 4
MOST_OWNERS: Final = 100
LEAST_FREED_RATIO: Final = 0.1
"""How much of the memory in use must come free, if it is not known what was asked for."""
LONGEST_BYTES: Final = 60_000
"""Of a report: the server limits the length of a message."""


class MemoryAnswers(threading.Thread):
    """The thread. It waits for requests without using the interpreter."""

    def __init__(self, link: ServerLink, kernel: str) -> None:
        super().__init__(name="gpuperf-memory-answers", daemon=True)
        self.runs_cell = False
        """Whether a cell runs now, which must not be delayed."""
        self._link, self._kernel = link, kernel
        self._failed: Failed | None = None
        self._failures: deque[MemoryFailure] = deque(maxlen=1)
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def before_cell(self, *_: object) -> None:
        """Note that a cell runs, and in which event loop; called by IPython."""
        self.runs_cell = True
        self.find_loop()

    def find_loop(self) -> None:
        """Remember the event loop that runs the notebook's cells; called in a cell."""
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()

    def after_cell(self, failure: OutOfMemory | None) -> None:
        """Tell the server if the cell ran out of memory, or if the memory of an earlier failure came free."""
        self.runs_cell = False
        self._release_parked()
        if failure is not None:
            self._failed = Failed.of(failure)
            self._failures.append(self._failed.message)
        elif self._failed is not None and self._failed.is_over():
            self._failures.append(MemoryFailure(device_uuid=None, failure=None))
            self._failed = None

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()

    def run(self) -> None:
        """Answer until the process ends."""
        while not self._stopping.is_set():
            # Errors of torch or the socket must not reach the notebook.
            with contextlib.suppress(Exception):
                self._once()
        self._link.close()

    def _once(self) -> None:
        if not self._link.connected:
            path = os.environ.get(NOTEBOOK_VARIABLE)
            if not self._link.send(Attached(kernel_id=self._kernel, notebook_path=path)):
                self._stopping.wait(RETRY_SECONDS)
                return
        for message in self._link.receive(POLL_SECONDS):
            if isinstance(message, MemoryRequest):
                self._link.send(self._answer(message), SEND_SECONDS)
        while self._failures:
            self._link.send(self._failures.popleft())

    def _answer(self, request: MemoryRequest) -> MemoryAnswer:
        try:
            if request.action == "owners":
                return MemoryAnswer(number=request.number, owners=self._owners())
            return self._in_cells_thread(request)
        except GpuPerfError as error:
            info = ErrorInfo(**error.to_dict())
        except Exception as error:  # noqa: BLE001  (the server waits for an answer)
            message = Message(
                "The kernel could not search: {error}", error=repr(error)[:LONGEST_NAME]
            )
            info = ErrorInfo(
                code="search_failed", message=message, hint="Run %gpumem in the notebook."
            )
        return MemoryAnswer(number=request.number, error=info)

    def _owners(self) -> MemoryReport:
        # Imported here to keep the loading of the extension fast.
        from jupyter_gpuperf.device_memory.notebook import Notebook
        from jupyter_gpuperf.device_memory.owner_groups import grouped
        from jupyter_gpuperf.device_memory.pace import InSlices
        from jupyter_gpuperf.device_memory.report import fullest_device, memory_report
        from jupyter_gpuperf.display.shell import running_shell

        pace = InSlices(reads_everything=not self.runs_cell, loop=self._loop)
        try:
            report = memory_report(Notebook(running_shell()), fullest_device(), pace)
            return fitting(msgspec.structs.replace(report, owners=grouped(report.owners)))
        finally:
            if self._loop is not None:  # after the cell that runs, if any
                self._loop.call_soon_threadsafe(self._release_parked)

    def _release_parked(self) -> None:
        searches = sys.modules.get("jupyter_gpuperf.device_memory.last_references")
        if searches is not None:
            searches.release_parked()

    def _in_cells_thread(self, request: MemoryRequest) -> MemoryAnswer:
        def act() -> MemoryAnswer:
            from jupyter_gpuperf.client.memory import Freeing

            freeing = Freeing()
            if request.action == "freeable":
                return MemoryAnswer(number=request.number, freeable=freeing.freeable)
            freed = freeing.run().data
            self.after_cell(None)
            return MemoryAnswer(number=request.number, freed=freed)

        return _called_in(self._loop, act)


def _called_in(
    loop: asyncio.AbstractEventLoop | None, act: Callable[[], MemoryAnswer]
) -> MemoryAnswer:
    """Call a function in the thread of the notebook's cells.

    Raises
    ------
    Unavailable
        ``kernel_busy``: a cell runs.
    """
    called: concurrent.futures.Future[MemoryAnswer] = concurrent.futures.Future()

    def call() -> None:
        if called.set_running_or_notify_cancel():
            try:
                called.set_result(act())
            except BaseException as error:  # noqa: BLE001  (an interrupt, too, must not end the kernel's loop)
                called.set_exception(error)

    if loop is not None:
        loop.call_soon_threadsafe(call)
        with contextlib.suppress(concurrent.futures.TimeoutError):
            return called.result(IDLE_SECONDS)
    if loop is None or called.cancel():
        hint = "Try again when it has ended, or interrupt it."
        raise Unavailable("kernel_busy", "A cell is running in this notebook.", hint)
    return called.result()


class Failed(NamedTuple):
    """A cell ran out of memory.

    Attributes
    ----------
    gpu
        The GPU's index; ``None`` if it is none.
    free_below_bytes
        When torch has less than this in use, what was asked for would fit.
    """

    message: MemoryFailure
    gpu: int | None
    free_below_bytes: float

    @classmethod
    def of(cls, failure: OutOfMemory) -> Failed:
        """Return what to tell the server, and when it will be over."""
        torch = sys.modules.get("torch")
        number = failure.device.partition("cuda:")[2]
        index = int(number) if number else None
        cuda = started_cuda(torch)
        used = 0.0 if cuda is None or index is None else float(cuda.memory_allocated(index))
        requested = failure.requested_bytes
        needed = LEAST_FREED_RATIO * used if requested is None else min(requested, used / 2)
        uuid = None if index is None else uuid_of(torch, index)
        short = msgspec.structs.replace(
            failure,
            place=_short(failure.place),
            code=_short(failure.code),
            largest=[_shortened(each) for each in failure.largest],
            remedies=[
                msgspec.structs.replace(each, action=_short(each.action))
                for each in failure.remedies
            ],
        )
        return cls(MemoryFailure(device_uuid=uuid, failure=short), index, used - needed)

    def is_over(self) -> bool:
        """Return whether the memory came free."""
        cuda = started_cuda(sys.modules.get("torch"))
        if cuda is None or self.gpu is None:
            return False
        return bool(cuda.memory_allocated(self.gpu) <= self.free_below_bytes)


def fitting(report: MemoryReport) -> MemoryReport:
    """Return a report that the server takes: short names, and the smallest owners added up."""
    owners, count = [_shortened(each) for each in report.owners], MOST_OWNERS
    while True:
        rest = owners[count:]
        kept = owners[:count]
        if rest:
            text = Message("{count} smaller owners", count=len(rest))
            size = sum(each.bytes for each in rest)
            kept = [*kept, MemoryOwner(kind="other", name=text, bytes=size, holders=[])]
        short = msgspec.structs.replace(report, owners=kept)
        if len(encode(short)) < LONGEST_BYTES or not count:
            return short
        count //= 2


def _shortened(owner: MemoryOwner) -> MemoryOwner:
    holders = [_short(each) for each in owner.holders[:MOST_HOLDERS]]
    return msgspec.structs.replace(owner, name=_short(owner.name), holders=holders)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


_started: dict[int, MemoryAnswers] = {}
"""Process id → its thread; a forked process has none."""


def start_memory_answers() -> MemoryAnswers | None:
    """Start answering, unless this process already does; ``None`` if it is no kernel of a Jupyter server."""
    if os.getpid() not in _started:
        kernel = kernel_id() if os.environ.get(SERVER_PID_VARIABLE) else None
        if kernel is None:
            return None
        _started[os.getpid()] = MemoryAnswers(ServerLink(), kernel)
        _started[os.getpid()].start()
    return _started[os.getpid()]
