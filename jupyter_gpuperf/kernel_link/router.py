"""The server's side of a kernel's messages: each goes to the handler for its kind. Independent of the transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.schemas import SocketError, encode
from jupyter_gpuperf.schemas.kernel_link import FromKernel

logger = logging.getLogger(__name__)

LONGEST_LINE_BYTES: Final = 1 << 16
MOST_UNSENT: Final = 16
ONE_A_LINE: Final = "Send one JSON object per line."

UNEXPECTED: Final = SocketError(
    code="internal_error",
    message="An error occurred in the server.",
    hint="See the server log for details, and please report it.",
)

_decoder: msgspec.json.Decoder[FromKernel] = msgspec.json.Decoder(FromKernel)

Handler = Callable[["KernelSession", Any], Awaitable[None] | None]
"""Handles a message on the event loop. If it raises a ``GpuPerfError``, that is sent as the kernel's answer."""


Handlers = Mapping[type[Struct], Handler]
"""Kind of message → its handler; other messages are ignored."""


class KernelSession:
    """One connection of a kernel, until it disconnects.

    Parameters
    ----------
    pid
        The process at the other end, as reported by the operating system: a kernel can't speak for another.
    wake
        Called, from any thread, when there is something to send.
    """

    def __init__(self, handlers: Handlers, pid: int | None, wake: Callable[[], None]) -> None:
        self.pid = pid
        self._handlers, self._wake = handlers, wake
        self._at_end = contextlib.ExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()
        self._unsent: dict[tuple[type[Struct], Hashable], Struct] = {}

    def send(self, message: Struct, topic: Hashable = None) -> None:
        """Send a message soon, from any thread.

        Only the latest message of each kind and topic waits, so a kernel that does not read fills no memory.
        """
        with self._lock:
            self._unsent[type(message), topic] = message
            if len(self._unsent) > MOST_UNSENT:
                del self._unsent[next(iter(self._unsent))]
        self._wake()

    def next_unsent(self) -> bytes | None:
        """Return the next line to send and remove it; ``None`` when there is none."""
        with self._lock:
            if not self._unsent:
                return None
            message = self._unsent.pop(next(iter(self._unsent)))
        return encode(message) + b"\n"

    def on_close(self, call: Callable[[], object]) -> None:
        """Register a call for when the kernel has disconnected."""
        self._at_end.callback(call)

    def answer_later(self, answer: Coroutine[Any, Any, None]) -> None:
        """Prepare an answer while other messages are handled; it is dropped when the kernel disconnects."""
        task = asyncio.ensure_future(answer)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def take(self, line: bytes | None) -> None:
        """Handle a line, ``None`` for one that was too long; errors are sent as an answer."""
        try:
            message = _decoded(line)
            handler = self._handlers.get(type(message))
            if handler and (answer := handler(self, message)) is not None:
                await answer
        except GpuPerfError as error:
            self.send(SocketError(**error.to_dict()))
        except Exception:  # a bug must not end the connection
            logger.exception("Unexpected error while serving a kernel")
            self.send(UNEXPECTED)

    def close(self) -> None:
        """End the session: the kernel has disconnected."""
        for task in tuple(self._tasks):
            task.cancel()
        self._at_end.close()


def _decoded(line: bytes | None) -> FromKernel:
    if line is None:
        too_long = "A line is longer than {bytes} bytes."
        raise BadRequest("line_too_long", too_long, ONE_A_LINE, bytes=LONGEST_LINE_BYTES)
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        hint = 'Send {"type": "run", …} or {"type": "cancel"}.'
        raise BadRequest("invalid_request", f"{error}.", hint) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = "The line is not JSON: {error}."
        raise BadRequest("malformed_json", message, ONE_A_LINE, error=error) from error
