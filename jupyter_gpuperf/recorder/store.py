"""The recordings of a server. Users start and stop them; their files are in one folder."""

from __future__ import annotations

import os
import re
import reprlib
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.recorder.recorder import LONGEST_SECONDS, Recorder
from jupyter_gpuperf.recordings.anonymized import Anonymizer
from jupyter_gpuperf.recordings.load import read_header
from jupyter_gpuperf.recordings.recording_format import SUFFIX, header
from jupyter_gpuperf.sampling.sampler import Sampler
from jupyter_gpuperf.sampling.subscribers import ALERTS, Subscribers
from jupyter_gpuperf.schemas import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    AlertsChanged,
    DevicesChanged,
    RecordingInfo,
    RecordingRequest,
    encode,
)

MOST_AT_ONCE: Final = 4
LONGEST_LABEL: Final = 60


def start_recorder(
    path: Path, request: RecordingRequest, *, sampler: Sampler, subscribers: Subscribers
) -> Recorder:
    """Start recording the readings of ``sampler`` into ``path``, and return the recorder.

    Raises
    ------
    BadRequest
        ``parameter_out_of_range``: the interval, the duration or the label.
    Unavailable
        ``recording_not_written``: the file can't be created.
    """
    _check(request)
    anonymizer, version = Anonymizer(), sampler.version
    devices = replace(sampler.devices, devices=anonymizer.devices(sampler.devices.devices))
    try:
        return Recorder(
            path,
            header=header(request, version, devices.devices),
            first_messages=(
                encode(DevicesChanged(devices=devices, version=version)),
                encode(sampler.last_messages.get(ALERTS) or AlertsChanged(alerts=[])),
            ),
            anonymizer=anonymizer,
            subscribers=subscribers,
            interval_ms=request.interval_ms,
            seconds=request.seconds or LONGEST_SECONDS,
            list_processes=sampler.request_processes,
        )
    except OSError as error:
        message = "Can't create the recording {path} ({error})."
        hint = "Choose another path, or check whether the disk is full or read-only."
        raise _not_written(message, hint, path, error) from error


def _not_written(message: str, hint: str, path: Path, error: OSError) -> Unavailable:
    reason = error.strerror or error
    return Unavailable("recording_not_written", message, hint, path=path, error=reason)


def _check(request: RecordingRequest) -> None:
    for name, value, lowest, highest in (
        ("interval_ms", request.interval_ms, SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS),
        ("seconds", request.seconds, 0.1, LONGEST_SECONDS),
        (Message("the label's length"), len(request.label), 0, LONGEST_LABEL),
    ):
        if value is not None and not lowest <= value <= highest:
            raise BadRequest(
                "parameter_out_of_range",
                "{name} = {value} is out of range.",
                "Enter a number from {minimum:g} to {maximum:g}.",
                name=name,
                value=reprlib.repr(value),
                minimum=lowest,
                maximum=highest,
            )


class RecordingStore:
    """Starts, stops and lists recordings; also lists those of earlier runs of the server.

    Thread-safe. Starting, stopping and listing access the disk, so don't call them on the event loop.

    Parameters
    ----------
    directory
        The folder for the files; it is created when the first recording starts.
    """

    def __init__(self, directory: Path, *, sampler: Sampler, subscribers: Subscribers) -> None:
        self._directory, self._sampler, self._subscribers = directory, sampler, subscribers
        self.on_change: Callable[[], object] = lambda: None
        """Called when a recording was started, stopped or discarded."""
        self._lock = threading.Lock()
        self._recorders: dict[str, tuple[Recorder, str]] = {}
        self._earlier_infos: dict[Path, tuple[float, RecordingInfo | None]] = {}

    def start(self, request: RecordingRequest) -> RecordingInfo:
        """Start a recording.

        Raises
        ------
        BadRequest
            ``parameter_out_of_range``: the interval, the duration or the label.
        Unavailable
            ``too_many_recordings``, or ``recording_not_written``: the folder or the file can't be created.
        """
        with self._lock:
            running = [each.state == "recording" for each, _ in self._recorders.values()]
            if sum(running) >= MOST_AT_ONCE:
                message, hint = "{count} recordings are running.", "Stop one of them first."
                raise Unavailable("too_many_recordings", message, hint, count=MOST_AT_ONCE)
            identifier = _new_id(request.label)
            self._make_directory()
            recorder = start_recorder(
                self.path_of(identifier),
                request,
                sampler=self._sampler,
                subscribers=self._subscribers,
            )
            self._recorders[identifier] = (recorder, request.label)
        self.on_change()
        return self.get(identifier)

    def all(self) -> list[RecordingInfo]:
        """Return all recordings, latest first, including those still being written."""
        files = self._files()
        with self._lock:
            known = [self._info(identifier) for identifier in self._recorders]
        # Outside the lock: a slow disk must not keep recordings from being stopped.
        ids = {info.id for info in known}
        others = [self._read_info(path) for path in files if _id_of(path) not in ids]
        found = [*known, *filter(None, others)]
        return sorted(found, key=lambda info: info.started_seconds, reverse=True)

    def get(self, identifier: str) -> RecordingInfo:
        """Return one recording.

        Raises
        ------
        NotFound
            ``unknown_recording``: there is no recording with this id.
        """
        with self._lock:
            running = identifier in self._recorders
            info = self._info(identifier) if running else None
        if info := info or self._read_info(self.path_of(identifier)):
            return info
        message, hint = "Unknown recording {id!r}.", "GET recordings lists them."
        raise NotFound("unknown_recording", message, hint, id=identifier)

    def path_of(self, identifier: str) -> Path:
        """Return the path of a recording's file, whether it exists or not."""
        return self._directory / f"{identifier}{SUFFIX}"

    def stop(self, identifier: str) -> RecordingInfo:
        """Stop a recording and keep it; one that has ended stays unchanged.

        Raises
        ------
        NotFound
            ``unknown_recording``: there is no recording with this id.
        """
        self.get(identifier)
        if running := self._recorders.get(identifier):
            running[0].stop()
        self.on_change()
        return self.get(identifier)

    def discard(self, identifier: str) -> RecordingInfo:
        """Stop a recording and delete its file.

        Raises
        ------
        NotFound
            ``unknown_recording``: there is no recording with this id.
        """
        info = self.stop(identifier)
        with self._lock:
            self.path_of(identifier).unlink(missing_ok=True)
            self._recorders.pop(identifier, None)
        self.on_change()
        return info

    def close(self) -> None:
        """Stop all recordings; their files stay."""
        with self._lock:
            recorders = [recorder for recorder, _ in self._recorders.values()]
        for recorder in recorders:
            recorder.stop()

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = "Can't create the folder {path} ({error})."
            hint = "Set c.GpuPerf.recordings_directory to another folder."
            raise _not_written(message, hint, self._directory, error) from error

    def _files(self) -> list[Path]:
        return list(self._directory.glob(f"*{SUFFIX}")) if self._directory.is_dir() else []

    def _info(self, identifier: str) -> RecordingInfo:
        recorder, label = self._recorders[identifier]
        return RecordingInfo(
            id=identifier,
            label=label,
            state=recorder.state,
            started_seconds=recorder.started_seconds,
            duration_seconds=recorder.duration_seconds,
            frames_count=recorder.frames_count,
            size_bytes=recorder.size_bytes,
            path=_shown(recorder.path),
            error=recorder.error,
        )

    def _read_info(self, path: Path) -> RecordingInfo | None:
        try:
            status = path.stat()
            written = status.st_mtime
            if (known := self._earlier_infos.get(path)) is None or known[0] != written:
                known = written, _earlier_info(path, status)
                self._earlier_infos[path] = known
        except OSError:
            return None  # deleted meanwhile
        return known[1]


def _earlier_info(path: Path, status: os.stat_result) -> RecordingInfo | None:
    try:
        found = read_header(path)
        began = msgspec.convert(found.get("began_seconds", status.st_mtime), float)
    except (OSError, ValueError, msgspec.ValidationError):
        return None  # not a recording
    return RecordingInfo(
        id=_id_of(path),
        label=str(found.get("label", ""))[:LONGEST_LABEL],
        state="stopped",
        started_seconds=began,
        duration_seconds=max(0.0, status.st_mtime - began),
        frames_count=None,
        size_bytes=status.st_size,
        path=_shown(path),
        error=None,
    )


def _id_of(path: Path) -> str:
    return _shown(path).rpartition("/")[2].removesuffix(SUFFIX)


def _shown(path: Path) -> str:
    # A name may be in any encoding, but answers are in UTF-8.
    return os.fsencode(path).decode(errors="replace")


def _new_id(label: str) -> str:
    # Sorts by time, contains the label, and is unique among recordings of one second.
    slug = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:40]
    return "-".join(filter(None, [time.strftime("%Y%m%d-%H%M%S"), slug, secrets.token_hex(2)]))
