"""Pass each message of a kernel to the handler of its type, in the server. This is independent of the transport."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.messages.printable import printable_data
from jupyter_gpuperf.schemas import SocketError, encode
from jupyter_gpuperf.schemas.kernel_link import FromKernel

logger = logging.getLogger(__name__)

LOG_SECONDS: Final = 60.0
"""Minimum time between two log lines about refused messages: a kernel may send thousands of them per second."""
LONGEST_LINE_BYTES: Final = 1 << 16
MOST_UNSENT: Final = 16
ONE_PER_LINE_HINT: Final = "Send one JSON object per line."

UNEXPECTED_ERROR: Final = SocketError(
    code="internal_error",
    message="An error occurred in the server.",
    hint="See the server log for details, and please report it.",
)

_decoder: msgspec.json.Decoder[FromKernel] = msgspec.json.Decoder(FromKernel)
_MAYBE_UNPRINTABLE: Final = re.compile(rb"[\\\x7f-\xff]")
"""Without such a byte, every text in a line of JSON is printable."""

Handler = Callable[["KernelSession", Any], Awaitable[None] | None]
"""Handles a message on the event loop. If it raises a ``GpuPerfError``, the kernel gets the error as the answer."""


Handlers = Mapping[type[Struct], Handler]
"""Type of message → its handler. Messages of other types are ignored."""


class InvalidMessage(BadRequest):
    """A message that no kernel of this package sends. It is dropped, and the log mentions it."""


class RefusalLog:
    """Logs refused messages of all kernels, at most one line per :data:`LOG_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until = -math.inf
        self._dropped_count = 0

    def add(self, pid: int | None, reason: object, **options: Any) -> None:
        """Log that a message of this process was refused, or only count it; ``options`` are those of the logger."""
        self._dropped_count += 1
        if self._clock() < self._silent_until:
            return
        self._silent_until = self._clock() + LOG_SECONDS
        # As repr: the reason may quote the message, with ends of lines in it.
        text = (
            "A message of the kernel process %s was dropped: %.300r (%d since the last such line)"
        )
        logger.warning(text, pid, str(reason), self._dropped_count, **options)
        self._dropped_count = 0


class KernelSession:
    """One connection of a kernel, until it disconnects.

    Parameters
    ----------
    pid
        The pid of the peer, as reported by the operating system, so that a process can't pretend to be another one.
        ``None`` if it is unknown.
    wake
        Called from any thread when there is a message to send.
    refusals
        Logs messages that are dropped; shared by all sessions of a server.
    """

    def __init__(
        self,
        handlers: Handlers,
        pid: int | None,
        wake: Callable[[], None],
        refusals: RefusalLog | None = None,
    ) -> None:
        self.pid = pid
        self._refusals = refusals or RefusalLog()
        self._handlers, self._wake = handlers, wake
        self._at_end = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._unsent: dict[tuple[type[Struct], Hashable], Struct] = {}

    def send(self, message: Struct, topic: Hashable = None) -> None:
        """Queue a message for sending. Call this from any thread.

        Only the latest message of each type and topic is kept, so that a kernel that reads nothing uses little memory.
        """
        with self._lock:
            self._unsent[type(message), topic] = message
            if len(self._unsent) > MOST_UNSENT:
                del self._unsent[next(iter(self._unsent))]
        self._wake()

    def next_unsent(self) -> bytes | None:
        """Remove and return the next line to send; ``None`` if there is none."""
        with self._lock:
            if not self._unsent:
                return None
            message = self._unsent.pop(next(iter(self._unsent)))
        return encode(message) + b"\n"

    def on_close(self, call: Callable[[], object]) -> None:
        """Register a function to call when the kernel has disconnected."""
        self._at_end.callback(call)

    async def take(self, line: bytes | None) -> None:
        """Handle a line, or ``None`` for a line that was too long. Errors are sent to the kernel as the answer."""
        try:
            message = _decoded(line)
            handler = self._handlers.get(type(message))
            if handler and (answer := handler(self, message)) is not None:
                await answer
        except GpuPerfError as error:
            if isinstance(error, InvalidMessage):
                self._refusals.add(self.pid, error)
            self.send(SocketError(**error.to_dict()))
        except Exception as error:  # noqa: BLE001  (a bug must not end the connection; it is logged)
            self._refusals.add(self.pid, error, exc_info=True)
            self.send(UNEXPECTED_ERROR)

    def close(self) -> None:
        """End the session; called when the kernel has disconnected."""
        self._at_end.close()


def _decoded(line: bytes | None) -> FromKernel:
    if line is None:
        too_long = "A line is longer than {bytes} bytes."
        raise InvalidMessage("line_too_long", too_long, ONE_PER_LINE_HINT, bytes=LONGEST_LINE_BYTES)
    try:
        if not _MAYBE_UNPRINTABLE.search(line):
            return _decoder.decode(line)
        data = printable_data(msgspec.json.decode(line))
        message: FromKernel = msgspec.convert(data, FromKernel, str_keys=True)
    except msgspec.ValidationError as error:
        hint = "The kernel may run another version of jupyter_gpuperf: restart it after an update."
        raise InvalidMessage("invalid_request", f"{error}.", hint) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        not_json = "The line is not JSON: {error}."
        raise InvalidMessage("malformed_json", not_json, ONE_PER_LINE_HINT, error=error) from error
    return message
