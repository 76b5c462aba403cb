"""Recordings of the readings."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo


class RecordingRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST recordings``; may be empty."""

    label: str = ""
    interval_ms: int = 100
    seconds: float | None = None
    """Maximum duration; ``None``: until it is stopped, at most a day."""


class RecordingInfo(Struct, frozen=True, kw_only=True):
    """A recording of this server."""

    id: str
    label: str
    state: Literal["recording", "stopped", "failed"]
    started_seconds: float
    duration_seconds: float
    frames_count: int | None
    """Readings in the file; ``None`` for a recording of an earlier run of the server."""
    size_bytes: int
    path: str
    """Path of the file on the server's machine."""
    error: ErrorInfo | None
    """Why it ended early, for example a full disk; what was written until then is kept."""


class Recordings(Struct, frozen=True, kw_only=True):
    """Answer of ``GET recordings``, latest first."""

    recordings: list[RecordingInfo]


class RecordingsChanged(Recordings, frozen=True, kw_only=True, tag="recordings"):
    """All recordings, sent on the live socket to clients that follow them."""
