"""Save the history of devices and of training to a file, so that it survives a restart of the server."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from jupyter_gpuperf.loop_store.notebook_sessions import TrainingDump
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.recordings.load import open_regular
from jupyter_gpuperf.sampling.history import HistoryDump, HistoryStore

logger = logging.getLogger(__name__)

FORMAT: Final = "gpuperf-history"
FORMAT_VERSION: Final = 1
OWN_FORMAT: Final = (FORMAT, FORMAT_VERSION, sys.byteorder)
SAVE_SECONDS: Final = 300.0
"""Time between saves of the coarse steps, and so the most that a crash can lose. Ticks are saved only at the end."""

MOST_CONTENT_BYTES: Final = 1 << 30
"""Maximum size of the decompressed content; a larger one is cut, and so unreadable."""

COMPRESSION_LEVEL: Final = 1
"""Columns of readings shrink to a fifth at any level; level 1 takes a tenth of a second."""

CANNOT_READ: Final = (
    "Can't read the history in %s (%s), so none is saved. Fix it, or change c.GpuPerf.history_file."
)
CANNOT_MOVE: Final = "%s is not a history (%s) and can't be moved (%s), so none is saved. Change c.GpuPerf.history_file."
CANNOT_SAVE: Final = (
    "Can't save the history in %s (%s). Free some space, or change c.GpuPerf.history_file."
)


class HistoryFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a history file."""

    format: str
    format_version: int
    byte_order: str
    history: HistoryDump
    training: TrainingDump | None = None
    """``None`` in older files, which don't contain it."""


@dataclass(eq=False)
class HistoryKeeper:
    """Reads the history file at the start; writes it at intervals, and once more at the end.

    It writes in its own thread, because disks stall. Errors are logged, and the history continues without a file.

    Parameters
    ----------
    path
        The file. No other server may use it.
    """

    path: Path
    history: HistoryStore
    training: TrainingStore
    save_every_seconds: float = SAVE_SECONDS

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._started = False
        self._thread = threading.Thread(target=self._run, name="gpuperf-history", daemon=True)

    def start(self) -> None:
        """Restore the file's content, then keep the file up to date; call it before the first tick.

        A file that can neither be read nor be moved aside is left unchanged: then nothing is saved.
        """
        if self._load():
            self._started = True
            self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write everything, and end the thread; wait at most ``timeout_seconds``, as the disk may stall."""
        self._stopping.set()
        if self._started:  # otherwise an empty history would replace the unread file
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopping.wait(self.save_every_seconds):
            self._save(full=False)
        self._save(full=True)

    def _load(self) -> bool:
        try:
            with open_regular(self.path) as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError) as error:
            logger.warning(CANNOT_READ, self.path, error)
            return False
        try:
            plain = zlib.decompressobj().decompress(content, MOST_CONTENT_BYTES)
            kept = msgspec.msgpack.decode(plain, type=HistoryFile)
            if (kept.format, kept.format_version, kept.byte_order) != OWN_FORMAT:
                raise ValueError("different format")
            self._restore(kept)
        except (zlib.error, msgspec.DecodeError, ValueError, RecursionError) as error:
            return self._set_aside(error)
        return True

    def _restore(self, kept: HistoryFile) -> None:
        # All or nothing: any mismatch is found before anything is restored.
        restore = [self.history.prepare_restore(kept.history)]
        if kept.training is not None:
            restore.append(self.training.prepare_restore(kept.training))
        for each in restore:
            each()

    def _set_aside(self, error: Exception) -> bool:
        # Don't overwrite the file: it may come from another version, or another program.
        aside = self.path.with_name(f"{self.path.name}.unreadable")
        if aside.exists():  # don't overwrite a file that was set aside earlier, either
            aside = aside.with_name(f"{aside.name}-{time.time_ns()}")
        try:
            self.path.replace(aside)
        except OSError as trouble:
            logger.warning(CANNOT_MOVE, self.path, error, trouble)
            return False
        logger.warning("%s is not a history (%s). Moved it to %s.", self.path, error, aside)
        return True

    def _save(self, *, full: bool) -> None:
        kept = HistoryFile(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            byte_order=sys.byteorder,
            history=self.history.dump(full=full),
            training=self.training.dump(full=full),
        )
        content = zlib.compress(msgspec.msgpack.encode(kept), COMPRESSION_LEVEL)
        # Write a new file, then replace the old one: at any time, one of them is complete.
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            beside.replace(self.path)
        except OSError as error:
            logger.warning(CANNOT_SAVE, self.path, error)
            with contextlib.suppress(OSError):
                beside.unlink()
