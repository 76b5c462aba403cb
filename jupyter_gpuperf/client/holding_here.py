"""Tells the server what this kernel holds on its GPUs, in containers, where the driver's numbers don't say.

A thread looks every few seconds at torch's own counters, only once the notebook has used CUDA, and without
touching the device. It holds no lock of ours, so that workers can be forked at any time.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.client.running import runtime_directories
from jupyter_gpuperf.kernel_link.client import CONNECT_SECONDS, find_server
from jupyter_gpuperf.kernel_link.holding import Held, Holding
from jupyter_gpuperf.processes.pid_namespace import is_nested
from jupyter_gpuperf.schemas import encode

LOOK_SECONDS: Final = 5.0
UUID_PREFIX: Final = "GPU-"

_started: list[HoldingTeller] = []


def tell_server_where_needed() -> None:
    """Start telling, once per process, where the driver's process numbers are not ours."""
    if not _started and is_nested() and hasattr(socket, "AF_UNIX"):
        _started.append(HoldingTeller())
        _started[0].start()


def held_here(torch: Any) -> Holding:  # the module, if the notebook imported it
    """Return what torch holds on each device; nothing where it has not used CUDA yet.

    Devices whose UUID this torch does not tell are left out.
    """
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return Holding()
    devices = {}
    for index in range(cuda.device_count()):
        uuid = getattr(cuda.get_device_properties(index), "uuid", None)
        if uuid is not None:
            devices[UUID_PREFIX + str(uuid).removeprefix(UUID_PREFIX)] = Held(
                allocated_bytes=float(cuda.memory_allocated(index)),
                reserved_bytes=float(cuda.memory_reserved(index)),
            )
    return Holding(devices={uuid: held for uuid, held in devices.items() if held.reserved_bytes})


class HoldingTeller(threading.Thread):
    """Tells when what is held has changed, and again to a server that came back.

    Parameters
    ----------
    find
        Returns the server's socket, or ``None`` while there is none.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Holding] = lambda: held_here(sys.modules.get("torch")),
        find: Callable[[], Path | None] = lambda: find_server(runtime_directories()),
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        super().__init__(name="gpuperf-holding", daemon=True)
        self._held, self._find, self._look_seconds = held, find, look_seconds
        self._stop_asked = threading.Event()
        self._connection: socket.socket | None = None
        self._told = Holding()

    def run(self) -> None:
        """Look and tell until the process ends."""
        while not self._stop_asked.wait(self._look_seconds):
            # Whatever torch or the socket does, the notebook must not hear of it.
            with contextlib.suppress(Exception):
                self._look()
        self._hang_up()

    def stop(self) -> None:
        """Hang up, which takes back what was told."""
        self._stop_asked.set()
        self.join()

    def _look(self) -> None:
        held = self._held()
        if self._connection is not None and self._has_hung_up(self._connection):
            self._hang_up()
        if held == self._told:
            return
        try:
            self._tell(held)
        except OSError:
            self._hang_up()

    def _tell(self, held: Holding) -> None:
        if self._connection is None:
            address = self._find()
            if address is None:
                return
            self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._connection.settimeout(CONNECT_SECONDS)
            self._connection.connect(str(address))
        self._connection.sendall(encode(held) + b"\n")
        self._told = held

    @staticmethod
    def _has_hung_up(connection: socket.socket) -> bool:
        connection.setblocking(False)
        try:
            return connection.recv(1 << 12) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(CONNECT_SECONDS)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._told = None, Holding()
