"""The shape of every error."""

from __future__ import annotations

from msgspec import Struct


class Sentences(Struct, frozen=True, kw_only=True):
    """Answer of ``GET sentences``: templates of the server's sentences, with ``%1``, ``%2`` for the figures."""

    sentences: list[str]


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """An error: HTTP body of any 4xx or 5xx, and a failed job's error."""

    code: str
    message: str
    hint: str
