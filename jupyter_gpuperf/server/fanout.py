"""Send the sampler's messages to many clients without blocking the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)

LazyMessage = bytes | Callable[[], bytes | None]
"""A message, or a function that is called when it is the client's turn: it returns the message, or ``None`` to send
none."""

LONGEST_GAP_SECONDS: Final = 0.002
"""Maximum pause between the messages to two clients. Sending one message takes about 0.1 ms. Thanks to the pauses,
another request waits for one or two messages, not for all.
"""

ROUND_SECONDS: Final = 0.05
"""Time within which every client gets its message: half of the shortest sampling interval. With many clients, the
pauses get shorter to keep within it; when the loop is late, there are none, but other tasks still run in between.
"""


class Outbox:
    """Holds the latest unsent message of each topic for one client.

    A newer message replaces an unsent one of the same topic, so memory stays bounded while the event loop or the client
    stalls. Frames of readings have their own topic, so they never replace the message that a device was lost.

    Parameters
    ----------
    send
        Starts to send one message on the event loop; its future completes when the client has taken the message.
    """

    def __init__(self, fanout: Fanout, send: Callable[[bytes], asyncio.Future[None]]) -> None:
        self._fanout = fanout
        self.send = send
        # Only the fan-out changes these, under its lock.
        self.waiting: dict[str, LazyMessage] = {}
        self.queued = False
        self.queued_at = 0.0
        self.sending = False

    def offer(self, message: LazyMessage, topic: str) -> None:
        """Queue a message and return immediately. Call this from any thread."""
        self._fanout.offer(self, message, topic)


class Fanout:
    """Passes messages from the sampler's thread to the clients of one event loop, one at a time.

    Sending to all clients in one iteration of the loop would make other requests wait. Instead, the thread wakes the
    loop once, and the loop sends to one client, lets other tasks run briefly, and continues with the next client.

    Parameters
    ----------
    clock
        Monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loop: IOLoop | None = None
        self._lock = threading.Lock()
        self._queue: deque[Outbox] = deque()
        self._awake = False
        self._due = 0.0

    def add(self, send: Callable[[bytes], asyncio.Future[None]]) -> Outbox:
        """Return an outbox for a new client. Call this on the event loop."""
        self._loop = IOLoop.current()
        return Outbox(self, send)

    def offer(self, outbox: Outbox, message: LazyMessage, topic: str) -> None:
        """Send ``message`` as soon as it is the client's turn. Call this from any thread."""
        with self._lock:
            outbox.waiting[topic] = message
            if not outbox.queued and not outbox.sending:
                self._enqueue(outbox)

    def _enqueue(self, outbox: Outbox) -> None:
        assert self._loop is not None  # set by add(), which creates the first outbox
        outbox.queued, outbox.queued_at = True, self._clock()
        self._queue.append(outbox)
        if not self._awake:
            self._awake, self._due = True, outbox.queued_at
            self._loop.add_callback(self._next)

    def _next(self) -> None:
        assert self._loop is not None
        with self._lock:
            outbox = self._queue.popleft()
            # A queued outbox always has a message; the topic that has waited longest goes first.
            message = outbox.waiting.pop(next(iter(outbox.waiting)))
            outbox.queued, outbox.sending = False, True
            pause_seconds = self._pause_seconds()
            self._awake = pause_seconds is not None
        if pause_seconds is not None:
            self._loop.call_later(pause_seconds, self._next)
        made = message if isinstance(message, bytes) else _made(message)
        if made is None:
            self._free(outbox)
        else:
            outbox.send(made).add_done_callback(lambda future: self._free(outbox, future))

    def _pause_seconds(self) -> float | None:
        """Return when it is the next client's turn; ``None`` if nobody waits."""
        if not self._queue:
            return None
        now = self._clock()
        left_seconds = self._queue[0].queued_at + ROUND_SECONDS - now
        # Timers are late. A turn counts from when the last one was due, so that being late does not add up.
        self._due = max(self._due, now - LONGEST_GAP_SECONDS)
        self._due += min(LONGEST_GAP_SECONDS, left_seconds / len(self._queue))
        return max(0.0, self._due - now)

    def _free(self, outbox: Outbox, sent: asyncio.Future[None] | None = None) -> None:
        # The client's handler deals with a disconnect. Its exception is retrieved here only so that asyncio doesn't
        # log it.
        has_left = sent is not None and (sent.cancelled() or sent.exception() is not None)
        with self._lock:
            outbox.sending = False
            if outbox.waiting and not has_left:
                self._enqueue(outbox)


def _made(make: Callable[[], bytes | None]) -> bytes | None:
    try:
        return make()
    except Exception:  # a bug in one list must not stop the readings of all clients
        logger.exception("A message for the live socket could not be made.")
        return None
