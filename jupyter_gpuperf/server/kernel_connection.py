"""One kernel at the server's socket: what it asks for, and the states of its job on the way back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.told import Told, ToldJobs
from jupyter_gpuperf.kernel_link.client import Cancel, FromKernel, JobUpdate, Run, carried, uuid_of
from jupyter_gpuperf.schemas import DeviceInfo, JobInfo, JobRequest, SocketError, encode
from jupyter_gpuperf.server.kernel_words import Word
from jupyter_gpuperf.server.lines import bounded_lines

logger = logging.getLogger(__name__)

LONGEST_LINE_BYTES: Final = 1 << 16
ENDED: Final = ("done", "failed", "cancelled")

UNEXPECTED: Final = SocketError(
    code="internal_error",
    message="Something went wrong in the server.",
    hint="The server's log holds the details; please report it.",
)

_decoder: msgspec.json.Decoder[FromKernel] = msgspec.json.Decoder(FromKernel)


class KernelConnection:
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
        except Exception:  # a defect must not end the connection
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
