"""The shape of every error."""

from __future__ import annotations

from jupyter_gpuperf.schemas.messages import MessageInfo, WithMessages


class ErrorInfo(WithMessages, frozen=True, kw_only=True):
    """An error: HTTP body of any 4xx or 5xx, and a failed job's error."""

    code: str
    message: str
    hint: str
    message_message: MessageInfo | None = None
    hint_message: MessageInfo | None = None
