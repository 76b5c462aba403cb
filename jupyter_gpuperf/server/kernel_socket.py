"""Where this server's own kernels ask for benchmarks: a Unix socket for this user alone.

See :mod:`jupyter_gpuperf.kernel_link.client` for the other end and for the messages. Each connection has
one job at a time; hanging up cancels it, so a kernel that dies leaves nothing running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.told import ToldJobs
from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.client import (
    ServerFile,
    server_file_name,
)
from jupyter_gpuperf.kernel_link.stale_files import remove_stale_files
from jupyter_gpuperf.schemas import DeviceInfo, encode
from jupyter_gpuperf.server.kernel_connection import LONGEST_LINE_BYTES, KernelConnection
from jupyter_gpuperf.server.kernel_holdings import KernelHoldings
from jupyter_gpuperf.server.kernel_words import KernelWords

logger = logging.getLogger(__name__)


class KernelSocket:
    """Serves kernels on the running event loop.

    Parameters
    ----------
    manager
        Runs the jobs.
    runtime_directory
        Jupyter's runtime directory, where kernels look for this server's file.
    devices
        Returns the devices of this machine now, so that a kernel may name one by its index.
    ready
        Awaited before each job: what must be known before a job may choose its device.
    words
        Takes what kernels tell beside asking for jobs.
    told
        Keeps the jobs that kernels run themselves.
    process_id
        Under which kernels know this server.
    same_user
        Tells whether a connection comes from this process's user; others are not heard.
    """

    def __init__(
        self,
        *,
        manager: JobManager,
        runtime_directory: Path,
        devices: Callable[[], Sequence[DeviceInfo]] = tuple,
        ready: Callable[[], Awaitable[None]] | None = None,
        words: KernelWords | None = None,
        told: ToldJobs | None = None,
        process_id: int | None = None,
        version: str = "",
        same_user: Callable[[socket.socket], bool] = peer.same_user,
    ) -> None:
        self._manager = manager
        self._directory = runtime_directory
        self._devices = devices
        self._ready = ready
        self._words = KernelWords(KernelHoldings()) if words is None else words
        self._told = told or ToldJobs()
        self._pid = os.getpid() if process_id is None else process_id
        self._version = version
        self._same_user = same_user
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Where that is impossible the server goes on, and magics run their own worker."""
        if not peer.sockets_exist() or self._server is not None:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_stale_files(self._directory)
            self._path = peer.socket_path(self._directory, self._pid)
            listener = peer.listening(self._path)
            self._server = await asyncio.start_unix_server(
                self._accept, sock=listener, limit=LONGEST_LINE_BYTES
            )
            self._announce(self._path)
        except OSError as error:
            logger.warning("Kernels can't reach this server (%s); their magics run locally.", error)
            await self.stop()

    async def stop(self) -> None:
        """Hang up on everybody, which cancels their jobs, and remove the files."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        (self._directory / server_file_name(self._pid)).unlink(missing_ok=True)
        if self._path is not None:
            with contextlib.suppress(OSError):
                peer.remove_socket(self._path)
            self._path = None

    def _announce(self, path: Path) -> None:
        """Write where kernels find this server: complete or not at all, for this user alone."""
        target = self._directory / server_file_name(self._pid)
        draft = target.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(encode(ServerFile(socket=str(path), pid=self._pid, version=self._version)))
        draft.replace(target)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        try:
            connection = writer.get_extra_info("socket")
            if self._same_user(connection):
                words = self._words.of(peer.process_id(connection), _saying(writer))
                with contextlib.closing(words):
                    await KernelConnection(
                        self._manager,
                        self._devices,
                        self._ready,
                        words.take,
                        self._told,
                        reader,
                        writer,
                    ).serve()
        except (ConnectionError, asyncio.CancelledError):
            pass  # hung up, or the server stops; the job is cancelled either way
        finally:
            self._connections.discard(task)
            writer.close()


def _saying(writer: asyncio.StreamWriter) -> Callable[[msgspec.Struct], None]:
    """Return what sends a message from the event loop; what is not read piles up in the kernel's own buffers."""
    loop = asyncio.get_running_loop()

    def say(message: msgspec.Struct) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(writer.write, encode(message) + b"\n")

    return say
