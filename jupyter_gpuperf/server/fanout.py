"""Send the sampler's messages to many clients without blocking the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)

Message = bytes | Callable[[], bytes | None]
"""A message, or a function that makes it when the client's turn comes; ``None`` if there is nothing to send."""

LONGEST_GAP_SECONDS: Final = 0.002
"""Pause between two clients' messages. One message takes the loop about 0.1 ms, so another request
waits for one or two of them, not for all.
"""

ROUND_SECONDS: Final = 0.05
"""Time within which every client gets its message: half of the shortest interval. If the clients don't
fit at the longest gap, the gaps get shorter.
"""


class Outbox:
    """Holds the latest unsent message of each topic for one client.

    However long the loop or the client stalls, only one message per topic waits, and older ones are dropped.
    A frame never replaces the message that a device was lost.

    Parameters
    ----------
    send
        Starts to send one message on the loop; the future is done when the client took it.
    """

    def __init__(self, fanout: Fanout, send: Callable[[bytes], asyncio.Future[None]]) -> None:
        self._fanout = fanout
        self.send = send
        # Only the fan-out changes these, under its lock.
        self.waiting: dict[str, Message] = {}
        self.queued = False
        self.sending = False

    def offer(self, message: Message, topic: str) -> None:
        """Hand over a message; returns at once. Call from any thread."""
        self._fanout.offer(self, message, topic)


class Fanout:
    """Passes messages from the sampler's thread to the clients of one event loop, one at a time.

    Sending to all clients in one turn of the loop would make other requests wait. So the thread wakes the loop
    once, and the loop sends to one client, lets other tasks run for a moment, and continues.
    """

    def __init__(self) -> None:
        self._loop: IOLoop | None = None
        self._lock = threading.Lock()
        self._queue: deque[Outbox] = deque()
        self._awake = False

    def add(self, send: Callable[[bytes], asyncio.Future[None]]) -> Outbox:
        """Return an outbox for a new client. Call on the loop."""
        self._loop = IOLoop.current()
        return Outbox(self, send)

    def offer(self, outbox: Outbox, message: Message, topic: str) -> None:
        """Send ``message`` as soon as it is this client's turn. Call from any thread."""
        with self._lock:
            outbox.waiting[topic] = message
            if not outbox.queued and not outbox.sending:
                self._enqueue(outbox)

    def _enqueue(self, outbox: Outbox) -> None:
        assert self._loop is not None  # there is no outbox before the first client
        outbox.queued = True
        self._queue.append(outbox)
        if not self._awake:
            self._awake = True
            self._loop.add_callback(self._next)

    def _next(self) -> None:
        assert self._loop is not None
        with self._lock:
            outbox = self._queue.popleft()
            # A queued outbox has something to send; the topic that waited longest goes first.
            message = outbox.waiting.pop(next(iter(outbox.waiting)))
            outbox.queued, outbox.sending = False, True
            remaining = len(self._queue)
            self._awake = remaining > 0
        if remaining:
            gap_seconds = min(LONGEST_GAP_SECONDS, ROUND_SECONDS / remaining)
            self._loop.call_later(gap_seconds, self._next)
        made = message if isinstance(message, bytes) else _made(message)
        if made is None:
            self._free(outbox)
        else:
            outbox.send(made).add_done_callback(lambda future: self._free(outbox, future))

    def _free(self, outbox: Outbox, sent: asyncio.Future[None] | None = None) -> None:
        # The client's handler deals with a disconnect; here its error is only retrieved.
        has_left = sent is not None and (sent.cancelled() or sent.exception() is not None)
        with self._lock:
            outbox.sending = False
            if outbox.waiting and not has_left:
                self._enqueue(outbox)


def _made(make: Callable[[], bytes | None]) -> bytes | None:
    try:
        return make()
    except Exception:  # one list's defect must not stop everybody's readings
        logger.exception("A message for the live socket could not be made.")
        return None
