"""A thread that adds up what the clocks saw and tells the server; the loop never waits for it.

Whatever the server does, is dead, stopped or slow, it is this thread alone that notices. What can't be told is
kept only for ``%gpuwatch`` itself, in bounded memory.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.loops.watching import Watching
from jupyter_gpuperf.loops.worker_threads import WorkerThreads
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.training import CellRan, ExplainNow, Footprint, Steps, StepTally

LOOK_SECONDS: Final = 0.5
SEND_SECONDS: Final = 1.0
SLOW_LOOKS: Final = 6
"""The device and the workers' threads are looked at once in so many looks."""

FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 30.0
KEPT_TALLIES: Final = 7200
COURTESY_SECONDS: Final = 0.0005
"""Between two tallies: the loop may want the interpreter."""

FromServer = Footprint | ExplainNow
_decoder: msgspec.json.Decoder[FromServer] = msgspec.json.Decoder(FromServer)


class Teller(threading.Thread):
    """Tells the server of steps and cells.

    Parameters
    ----------
    find
        Returns the server's socket, or ``None`` while there is none.
    hear
        Called in this thread with what the server says.
    """

    def __init__(
        self,
        watching: Watching,
        *,
        find: Callable[[], Path | None],
        hear: Callable[[FromServer], None] = lambda message: None,
        kernel_id: str | None = None,
        notebook_path: str | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        super().__init__(name="gpuperf-steps", daemon=True)
        self.recent: deque[StepTally] = deque(maxlen=KEPT_TALLIES)
        """The newest tallies, for what the notebook itself shows."""
        self._watching = watching
        self._find, self._hear = find, hear
        self._kernel_id, self._notebook_path = kernel_id, notebook_path
        self._look_seconds = look_seconds
        self._stopping = False
        self._wake = threading.Event()
        self._cells: deque[CellRan] = deque(maxlen=64)
        self._threads: dict[int, WorkerThreads] = {}
        self._connection: socket.socket | None = None
        self._received = b""
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        self._looks = 0

    @property
    def connected(self) -> bool:
        """Whether a server listens."""
        return self._connection is not None

    def run(self) -> None:
        """Look and tell until it is stopped, or the process ends."""
        while not self._stopping:
            # Whatever torch or the socket does, the notebook must not hear of it.
            with contextlib.suppress(Exception):
                self._look()
            self._wake.wait(self._look_seconds)
            self._wake.clear()
        with contextlib.suppress(Exception):
            self._look()
        self._hang_up()

    def stop(self, patience_seconds: float = 0.5) -> None:
        """Tell what is left, and end."""
        self._stopping = True
        self._wake.set()
        self.join(patience_seconds)

    def cell_ran(self, cell: CellRan) -> None:
        """Tell of a cell soon."""
        self._cells.append(cell)
        self._wake.set()

    def forget_connection(self) -> None:
        """In a forked child: the connection is its parent's."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                os.close(self._connection.detach())
        self._connection = None

    def _look(self) -> None:
        if self._looks % SLOW_LOOKS == 0:
            self._watching.find_device()
            self._watching.find_rank()
            self._look_at_workers()
        self._looks += 1
        tallies = self._tally()
        self.recent.extend(tallies)
        self._listen()
        try:
            if self._connected():
                self._tell(tallies)
        except OSError:
            self._hang_up()

    def _tally(self) -> list[StepTally]:
        tallies = []
        offset = time.time() - time.perf_counter()
        for clock in self._watching.clocks:
            while (tally := tally_of(clock, offset)) is not None:
                tallies.append(tally)
                time.sleep(COURTESY_SECONDS)
        return tallies

    def _look_at_workers(self) -> None:
        for clock in self._watching.clocks:
            if clock.worker_pids:
                looker = self._threads.setdefault(clock.info.id, WorkerThreads())
                threads = looker.look(clock.worker_pids[0])
                if threads is not None:
                    clock.info = msgspec.structs.replace(clock.info, worker_threads=threads)

    def _connected(self) -> bool:
        if self._connection is not None:
            return True
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(LONGEST_RETRY_SECONDS, 2 * self._retry_seconds)
        address = self._find()
        if address is None:
            return False
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SEND_SECONDS)
        try:
            connection.connect(str(address))
        except OSError:
            connection.close()
            return False
        self._connection, self._received = connection, b""
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._send(self._steps([]))  # that one watches, before the first step
        return True

    def _tell(self, tallies: list[StepTally]) -> None:
        if tallies:
            self._send(self._steps(tallies))
        while self._cells:
            self._send(self._cells.popleft())

    def _steps(self, tallies: list[StepTally]) -> Steps:
        told = {tally.loader for tally in tallies}
        return Steps(
            kernel_id=self._kernel_id,
            notebook_path=self._notebook_path,
            loaders=[each.info for each in self._watching.clocks if each.info.id in told],
            tallies=tallies,
        )

    def _send(self, message: Steps | CellRan) -> None:
        assert self._connection is not None  # the caller has looked
        self._connection.sendall(encode(message) + b"\n")

    def _listen(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.setblocking(False)
            chunk = self._connection.recv(1 << 14)
            self._connection.settimeout(SEND_SECONDS)
        except BlockingIOError:
            self._connection.settimeout(SEND_SECONDS)
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._hang_up()
            return
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):  # of a newer server
                self._hear(_decoder.decode(line))

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
