"""Where this server's own kernels ask for benchmarks: a Unix socket for this user alone.

See :mod:`jupyter_gpuperf.jobs.client` for the other end and for the messages. Each connection has
one job at a time; hanging up cancels it, so a kernel that dies leaves nothing running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from jupyter_gpuperf.api import peer
from jupyter_gpuperf.api.kernel_holdings import KernelHoldings
from jupyter_gpuperf.api.kernel_words import KernelWords, Word
from jupyter_gpuperf.api.lines import bounded_lines
from jupyter_gpuperf.api.stale_files import remove_stale_files
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.jobs.client import (
    Cancel,
    FromKernel,
    JobUpdate,
    Run,
    ServerFile,
    carried,
    server_file_name,
    uuid_of,
)
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.told import Told, ToldJobs
from jupyter_gpuperf.schemas import DeviceInfo, JobInfo, JobRequest, SocketError, encode

logger = logging.getLogger(__name__)

LONGEST_LINE_BYTES: Final = 1 << 16
ENDED: Final = ("done", "failed", "cancelled")

UNEXPECTED: Final = SocketError(
    code="internal_error",
    message="Something went wrong in the server.",
    hint="The server's log holds the details; please report it.",
)

_decoder: msgspec.json.Decoder[FromKernel] = msgspec.json.Decoder(FromKernel)


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
                    await _Connection(
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


class _Connection:
    """One kernel's connection: reads its requests, and sends its job's states."""

    def __init__(
        self,
        manager: JobManager,
        devices: Callable[[], Sequence[DeviceInfo]],
        ready: Callable[[], Awaitable[None]] | None,
        take_word: Callable[[Word], None],
        told: ToldJobs,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._manager = manager
        self._devices = devices
        self._ready = ready
        self._take_word = take_word
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._job: JobInfo | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._unsent = asyncio.Event()
        self._told = told.place(self._ask_to_stop)

    async def serve(self) -> None:
        """Answer until the kernel hangs up."""
        sender = asyncio.create_task(self._send_states())
        try:
            async for line in bounded_lines(self._reader):
                await self._handle(line)
        finally:
            sender.cancel()
            self._told.close()
            self._forget_job()

    async def _handle(self, line: bytes | None) -> None:
        try:
            if line is None:
                raise BadRequest(
                    "line_too_long",
                    f"A request line is longer than {LONGEST_LINE_BYTES} bytes.",
                    "Send one JSON object a line.",
                )
            await self._obey(_decode(line))
        except GpuPerfError as error:
            await self._send(SocketError(**error.to_dict()))
        except Exception:
            logger.exception("Unexpected error while serving a kernel")
            await self._send(UNEXPECTED)

    async def _obey(self, request: FromKernel) -> None:
        if isinstance(request, Word):
            self._take_word(request)
            return
        if isinstance(request, Told):
            self._told.keep(request)
            return
        if isinstance(request, Cancel):
            if self._job is not None:
                self._manager.cancel(self._job.id)
            return
        if self._job is not None and self._job.state not in ENDED:
            raise BadRequest(
                "job_running",
                "This connection's job has not ended yet.",
                "Cancel it, or open another connection.",
            )
        if self._ready is not None:
            await self._ready()
        self._submit(request)

    def _submit(self, request: Run) -> None:
        self._forget_job()
        job = self._manager.submit(
            JobRequest(
                benchmark=request.benchmark,
                parameters=request.parameters,
                device=uuid_of(request.device, self._devices()),
            ),
            interpreter=request.interpreter or sys.executable,
            environment=carried(request.environment),
        )
        self._job = job
        self._unsubscribe = self._manager.subscribe(job.id, self._job_changed)

    def _ask_to_stop(self) -> None:
        self._writer.write(encode(Cancel()) + b"\n")  # on the loop, as the panel's request

    def _job_changed(self, job: JobInfo) -> None:
        """Take a job's state from whichever thread noticed it."""
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to tell
            self._loop.call_soon_threadsafe(self._keep_latest, job)

    def _keep_latest(self, job: JobInfo) -> None:
        # Only the newest state is kept: a kernel that reads slowly skips some and fills no memory.
        if self._job is not None and job.id == self._job.id and self._job.state not in ENDED:
            self._job = job
            self._unsent.set()

    async def _send_states(self) -> None:
        while True:
            await self._unsent.wait()
            self._unsent.clear()
            if self._job is not None:
                await self._send(JobUpdate(**msgspec.structs.asdict(self._job)))

    async def _send(self, message: JobUpdate | SocketError) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.write(encode(message) + b"\n")
            await self._writer.drain()

    def _forget_job(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._job is not None and self._job.state not in ENDED:
            self._manager.cancel(self._job.id)
        self._job = None


def _saying(writer: asyncio.StreamWriter) -> Callable[[msgspec.Struct], None]:
    """Return what sends a message from the event loop; what is not read piles up in the kernel's own buffers."""
    loop = asyncio.get_running_loop()

    def say(message: msgspec.Struct) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(writer.write, encode(message) + b"\n")

    return say


def _decode(line: bytes) -> FromKernel:
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise BadRequest(
            "invalid_request", f"{error}.", 'Send {"type": "run", …} or {"type": "cancel"}.'
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(
            "malformed_json", f"The line is not JSON: {error}.", "Send one JSON object a line."
        ) from error
