"""The structure of every error."""

from __future__ import annotations

from msgspec import UNSET

from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages


class ErrorInfo(WithMessages, frozen=True, kw_only=True):
    """An error: the HTTP body of every 4xx or 5xx response, and the error of a failed job."""

    code: str
    message: str
    hint: str
    message_message: MessageOrUnset = UNSET
    hint_message: MessageOrUnset = UNSET
