"""Write the sampler's readings to one compressed file as they come; see :mod:`jupyter_gpuperf.recordings.recording_format`."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import queue
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO, Final, Literal

from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.recordings.anonymized import Anonymizer, anonymized_training
from jupyter_gpuperf.sampling.subscribers import DEVICES, FINDINGS, FRAMES, TRAINING, Subscribers
from jupyter_gpuperf.schemas import ErrorInfo, ListedProcesses, encode

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 2.0
"""Time between flushes, and so the most that is lost if the server is killed. Shorter times compress worse."""

PROCESSES_SECONDS: Final = 5.0
LISTING_SECONDS: Final = 2.0

MOST_WAITING: Final = 600
"""Maximum number of messages that wait while the disk stalls: a minute at the highest rate."""

LEAST_FREE_BYTES: Final = 200 * 2**20
"""A recording ends when its disk has less free space than this, so that notebooks can still be saved."""

LONGEST_SECONDS: Final = 24 * 3600.0
"""A recording ends after this time if nobody stops it."""

COMPRESSION_LEVEL: Final = 5

FREE_SPACE_HINT: Final = "Free some space, or record to a disk other than that of {folder}."

State = Literal["recording", "stopped", "failed"]


@dataclass(eq=False)
class Recorder:
    """One recording. It starts when created, and runs in its own thread.

    Only that thread waits for the disk: a slow or full disk does not delay any reading.

    Parameters
    ----------
    path
        The file; it must not exist yet.
    header
        The first line.
    first_messages
        Messages with the state at the beginning: the devices and the alerts.
    anonymizer
        The one that was used for the header's devices.
    interval_ms
        Time between readings.
    seconds
        Time after which the recording stops by itself.
    list_processes
        Requests the processes on all devices; ``None`` to leave them out.
    free_bytes
        Returns the free space on the disk of a path.

    Raises
    ------
    OSError
        The file can't be created.
    """

    path: Path
    _: KW_ONLY
    header: bytes
    first_messages: tuple[bytes, ...]
    subscribers: Subscribers
    interval_ms: int
    anonymizer: Anonymizer = field(default_factory=Anonymizer)
    seconds: float = LONGEST_SECONDS
    list_processes: Callable[[], Future[ListedProcesses]] | None = None
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free

    def __post_init__(self) -> None:
        self.started_seconds = time.time()
        self.frames_count = 0
        self.dropped_count = 0
        self.error: ErrorInfo | None = None
        self._began = time.monotonic()
        self._ended: float | None = None
        self._waiting: queue.Queue[tuple[bytes, str]] = queue.Queue(MOST_WAITING)
        self._stopping = threading.Event()
        self._plain: IO[bytes] = self._create_file(self.path)
        self._anonymized: dict[str, Callable[[bytes], bytes]] = {
            FRAMES: self.anonymizer.frame,
            DEVICES: self.anonymizer.devices_message,
            TRAINING: anonymized_training,
        }
        for message in (self.header, *self.first_messages):
            self._waiting.put((message, "first"))
        self._subscription = self.subscribers.add(self._offer, self.interval_ms)
        self._thread = threading.Thread(target=self._run, name="gpuperf-recorder", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """Whether the recording is running, has been stopped, or has failed."""
        if self._ended is None:
            return "recording"
        return "stopped" if self.error is None else "failed"

    @property
    def duration_seconds(self) -> float:
        """Duration so far; once the recording has ended, its total duration."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    @property
    def size_bytes(self) -> int:
        """Size of the file so far; 0 if the file is gone."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write the waiting messages, and close the file. A second call has no effect."""
        self._stopping.set()
        self._thread.join(timeout_seconds)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the end of the recording; return whether it has ended."""
        self._thread.join(timeout_seconds)
        return self._ended is not None

    @staticmethod
    def _create_file(path: Path) -> IO[bytes]:
        # Readable only by this user, and never overwrites another file.
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def _offer(self, message: bytes, topic: str) -> None:
        # Called by the sampler, so it must never wait.
        if topic == FINDINGS:
            return  # findings contain names; a replay is diagnosed anew anyway
        try:
            self._waiting.put_nowait((message, topic))
        except queue.Full:
            self.dropped_count += 1

    def _run(self) -> None:
        try:
            with self._plain as plain, gzip.GzipFile("", "wb", COMPRESSION_LEVEL, plain) as packed:
                self._write_all(packed, plain)
        except (OSError, GpuPerfError) as error:
            self.error = _error_info(error, self.path)
            logger.warning("%s %s", self.error.message, self.error.hint)
        except Exception:  # no caller sees this thread's exceptions, so store the error
            logger.exception("The recording %s stopped unexpectedly.", self.path)
            self.error = UNEXPECTED_ERROR
        finally:
            self.subscribers.remove(self._subscription)
            self._ended = time.monotonic()

    def _write_all(self, packed: gzip.GzipFile, plain: IO[bytes]) -> None:
        flush_at = time.monotonic()  # flush the header at once: a file without it is no recording
        processes_at = time.monotonic() + 0.5
        while not (self._should_stop() and self._waiting.empty()):
            self._write_next(packed)
            now = time.monotonic()
            if now >= processes_at and not self._stopping.is_set():
                processes_at = now + PROCESSES_SECONDS
                self._write_processes(packed)
            if now >= flush_at:
                flush_at = now + FLUSH_SECONDS
                self._check_room()
                packed.flush(zlib.Z_SYNC_FLUSH)
                plain.flush()

    def _should_stop(self) -> bool:
        if time.monotonic() - self._began >= self.seconds:
            self._stopping.set()
        if self._stopping.is_set():
            # Take no more messages, so that the queue can run empty.
            self.subscribers.remove(self._subscription)
        return self._stopping.is_set()

    def _write_next(self, packed: gzip.GzipFile) -> None:
        try:
            message, topic = self._waiting.get(timeout=0.1)
        except queue.Empty:
            return
        if topic in self._anonymized:
            message = self._anonymized[topic](message)
        packed.write(message + b"\n")
        self.frames_count += topic == FRAMES

    def _write_processes(self, packed: gzip.GzipFile) -> None:
        if self.list_processes is None:
            return
        try:
            listed = self.list_processes().result(LISTING_SECONDS)
        except FutureTimeout:
            return  # the driver hangs; the readings already show that
        packed.write(encode({"type": "processes", "devices": listed}) + b"\n")

    def _check_room(self) -> None:
        free = self.free_bytes(self.path.parent)
        if free < LEAST_FREE_BYTES:
            raise Unavailable(
                "recording_disk_full",
                "Recording stopped: only {free:.0f} MiB of disk space left. The data so far is saved.",
                FREE_SPACE_HINT,
                free=free / 2**20,
                folder=self.path.parent,
            )


UNEXPECTED_ERROR: Final = ErrorInfo(
    code="internal_error",
    message="Recording stopped: server error.",
    hint="See the server log, and please report it.",
)


def _error_info(error: OSError | GpuPerfError, path: Path) -> ErrorInfo:
    if isinstance(error, GpuPerfError):
        return ErrorInfo(**error.to_dict())
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return ErrorInfo(
        code="recording_disk_full" if full else "recording_not_written",
        message=Message(
            "Recording stopped: can't write {path} ({error}). The data so far is saved.",
            path=path,
            error=error.strerror or error,
        ),
        hint=Message(FREE_SPACE_HINT, folder=path.parent),
    )
