"""The one shape of every refusal."""

from __future__ import annotations

from msgspec import Struct


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """A refusal: HTTP body of any 4xx or 5xx, and a failed job's error."""

    code: str
    message: str
    hint: str
