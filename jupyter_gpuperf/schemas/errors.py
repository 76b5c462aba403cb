"""The shape of every error."""

from __future__ import annotations

from msgspec import UNSET

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages


class ErrorInfo(WithMessages, frozen=True, kw_only=True):
    """An error: HTTP body of any 4xx or 5xx, and a failed job's error."""

    code: str
    message: str
    hint: str
    message_message: MessageOrUnset = UNSET
    hint_message: MessageOrUnset = UNSET
