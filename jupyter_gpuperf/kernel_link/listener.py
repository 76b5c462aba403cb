"""Listen for kernels on a Unix socket that only this user may open. Only the server imports this module."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from jupyter_gpuperf.kernel_link import address, peer
from jupyter_gpuperf.kernel_link.framing import LineBuffer
from jupyter_gpuperf.kernel_link.router import (
    LONGEST_LINE_BYTES,
    Handlers,
    KernelSession,
    RefusalLog,
)
from jupyter_gpuperf.schemas.kernel_link import ServerAddress

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 1 << 16
PIECE_BYTES: Final = 1 << 12
"""Maximum number of bytes that are split into lines at once: each byte may be a line."""
MOST_CONNECTIONS: Final = 64
"""Maximum number of connections per process; a kernel needs about four. The server's open files are limited."""
LOOP_SHARE: Final = 0.2
"""Share of the event loop's time that the messages of one process may take."""
BURST_SECONDS: Final = 0.05
"""How far the share looks back: messages that come one by one are never delayed."""


class LoopShare:
    """Delays the messages of one process so that others don't wait for them."""

    def __init__(self) -> None:
        self._paid_until = 0.0

    async def pay(self, seconds: float) -> None:
        """Wait until the share covers the time that a message took."""
        now = time.monotonic()
        # What a handler awaits may take long, and is not the process's doing.
        price_seconds = min(seconds, BURST_SECONDS) / LOOP_SHARE
        self._paid_until = max(self._paid_until, now - BURST_SECONDS) + price_seconds
        if self._paid_until > now:
            await asyncio.sleep(self._paid_until - now)


@dataclass(eq=False)
class KernelListener:
    """Serves kernels on the running event loop.

    Parameters
    ----------
    handlers
        Type of message → its handler.
    runtime_directory
        Jupyter's runtime directory, where kernels look for this server's address file.
    process_id
        The pid of this server, which kernels find in ``JPY_PARENT_PID``.
    same_user
        Returns whether a connection comes from this process's user. Other connections are refused.
    """

    handlers: Handlers
    runtime_directory: Path
    process_id: int = field(default_factory=os.getpid)
    version: str = ""
    same_user: Callable[[socket.socket], bool] = peer.same_user

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self.path: Path | None = None
        """The socket's path; ``None`` while nothing listens."""
        self._connections: set[asyncio.Task[None]] = set()
        self._shares: WeakValueDictionary[int, LoopShare] = WeakValueDictionary()
        self._per_process: Counter[int | None] = Counter()
        self._refusals = RefusalLog()

    @property
    def has_connections(self) -> bool:
        """Whether any kernel is connected."""
        return bool(self._connections)

    async def start(self) -> None:
        """Start listening. If that is impossible, log a warning; magics then run their own workers."""
        if not peer.sockets_exist() or self._server is not None:
            return
        try:
            self.runtime_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            address.remove_stale_files(self.runtime_directory)
            self.path = peer.socket_path(self.runtime_directory, self.process_id)
            self._server = await asyncio.start_unix_server(
                self._accept, sock=peer.listening_socket(self.path), limit=CHUNK_BYTES
            )
            own = ServerAddress(socket=str(self.path), pid=self.process_id, version=self.version)
            address.write_server_file(self.runtime_directory, own)
        except OSError as error:
            logger.warning("Kernels can't reach this server (%s); their magics run locally.", error)
            await self.stop()

    async def stop(self) -> None:
        """Close all connections, which cancels their jobs, and remove the socket and the address file."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        (self.runtime_directory / address.server_file_name(self.process_id)).unlink(missing_ok=True)
        if self.path is not None:
            with contextlib.suppress(OSError):
                peer.remove_socket(self.path)
            self.path = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        try:
            connection = writer.get_extra_info("socket")
            if self.same_user(connection):
                await self._serve_process(peer.process_id(connection), reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the kernel disconnected, or the server stops; both cancel the job
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_process(
        self, pid: int | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if pid is not None and self._per_process[pid] >= MOST_CONNECTIONS:
            self._refusals.add(pid, f"more than {MOST_CONNECTIONS} connections")
            return
        self._per_process[pid] += 1
        try:
            await self._serve(pid, reader, writer)
        finally:
            self._per_process[pid] -= 1
            self._per_process += Counter()  # drops processes without connections

    async def _serve(
        self, pid: int | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop, unsent = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed: nothing is sent
                loop.call_soon_threadsafe(unsent.set)

        lines = LineBuffer(LONGEST_LINE_BYTES)
        share = LoopShare() if pid is None else self._shares.setdefault(pid, LoopShare())
        with contextlib.closing(KernelSession(self.handlers, pid, wake, self._refusals)) as session:
            sender = asyncio.create_task(_send(session, unsent, writer))
            try:
                while chunk := await reader.read(PIECE_BYTES):
                    for line in lines.feed(chunk):
                        began = time.perf_counter()
                        await session.take(line)
                        await share.pay(time.perf_counter() - began)
            finally:
                sender.cancel()


async def _send(
    session: KernelSession, unsent: asyncio.Event, writer: asyncio.StreamWriter
) -> None:
    """Send the session's messages to its kernel, no faster than the kernel reads them."""
    with contextlib.suppress(ConnectionError):  # _serve notices the disconnect when it reads
        while await unsent.wait():
            unsent.clear()
            while (line := session.next_unsent()) is not None:
                writer.write(line)
                await writer.drain()
