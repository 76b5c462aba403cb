"""Recordings of readings."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo


class RecordingRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST recordings``. It may be empty."""

    label: str = ""
    interval_ms: int = 100
    seconds: float | None = None
    """Maximum duration; ``None`` records until the recording is stopped, for at most a day."""


class RecordingInfo(Struct, frozen=True, kw_only=True):
    """A recording that this server made."""

    id: str
    label: str
    state: Literal["recording", "stopped", "failed"]
    started_seconds: float
    duration_seconds: float
    frames_count: int | None
    """Number of frames in the file; ``None`` for a recording of an earlier run of the server."""
    size_bytes: int
    path: str
    """Path of the file on the server's machine."""
    error: ErrorInfo | None
    """Why the recording ended early, such as a full disk; otherwise ``None``. The file keeps all earlier frames."""


class Recordings(Struct, frozen=True, kw_only=True):
    """Answer of ``GET recordings``: recordings, latest first."""

    recordings: list[RecordingInfo]


class RecordingsChanged(Recordings, frozen=True, kw_only=True, tag="recordings"):
    """All recordings, sent on the live socket to clients that follow them."""
