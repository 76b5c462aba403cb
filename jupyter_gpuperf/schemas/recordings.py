"""Recordings of the readings."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo


class RecordingRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST recordings``; empty is fine."""

    label: str = ""
    interval_ms: int = 100
    seconds: float | None = None
    """Stops by itself after this long; ``None``: when it is told to, at the latest after a day."""


class RecordingInfo(Struct, frozen=True, kw_only=True):
    """A recording of this server."""

    id: str
    label: str
    state: Literal["recording", "stopped", "failed"]
    started_seconds: float
    duration_seconds: float
    frames_count: int | None
    """Readings in the file; ``None`` for one of an earlier run of the server."""
    size_bytes: int
    path: str
    """Where the file lies on the server's machine."""
    error: ErrorInfo | None
    """Why it ended early, as on a full disk; what was written until then is kept."""


class Recordings(Struct, frozen=True, kw_only=True):
    """Answer of ``GET recordings``, newest first."""

    recordings: list[RecordingInfo]


class RecordingsChanged(Recordings, frozen=True, kw_only=True, tag="recordings"):
    """All recordings, on the live socket, for those who follow them."""
