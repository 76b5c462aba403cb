"""Lists that pages follow on the live socket: jobs, suites, recordings.

A page that starts to follow a list gets the current list immediately, and then only changes. For each page, only the
version that it knows is stored. A message is created only when the page can take it, so a stalled page uses no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.schemas import RecordingInfo, SuiteInfo, encode
from jupyter_gpuperf.server.fanout import Outbox
from jupyter_gpuperf.server.threads import in_file_thread

logger = logging.getLogger(__name__)

SOON_SECONDS: Final = 0.25
"""Minimum time between two messages: changes within this time are sent together."""
ACTIVE_SECONDS: Final = 1.0
"""Refresh interval while anything is running: durations and remaining times change without a notification."""
IDLE_SECONDS: Final = 10.0
"""Refresh interval while nothing is running: other processes may create or delete files."""

RUNNING_STATES: Final = ("queued", "running", "recording")
Item = TypeVar("Item", SuiteInfo, RecordingInfo)


class ListFeed(Protocol):
    """The interface of a list that pages can follow."""

    @property
    def active(self) -> bool:
        """Whether anything in the list is running."""
        ...

    def refresh(self) -> None:
        """Reload the list; called outside the event loop."""
        ...

    def changes(self, since: int) -> tuple[int, Struct] | None:
        """Return the current version, and a message with the changes since version ``since`` (-1: everything).

        ``None`` if there are no changes. Does not block.
        """
        ...


class WholeList(Generic[Item]):
    """A list that is sent as a whole when anything in it has changed.

    Parameters
    ----------
    read
        Returns the items of the list; may block.
    message_of
        Returns the message that contains the items.
    """

    def __init__(
        self, read: Callable[[], list[Item]], message_of: Callable[[list[Item]], Struct]
    ) -> None:
        self._read: Callable[[], list[Item]] = read
        self._message_of: Callable[[list[Item]], Struct] = message_of
        self._items: list[Item] | None = None
        self._version = 0

    @property
    def active(self) -> bool:
        """Whether anything in the list is running or queued."""
        return any(each.state in RUNNING_STATES for each in self._items or ())

    def refresh(self) -> None:
        """Read the list, and increase the version if it has changed."""
        items = self._read()
        if items != self._items:
            self._items, self._version = items, self._version + 1

    def changes(self, since: int) -> tuple[int, Struct] | None:
        """Return the version and the whole list; ``None`` if ``since`` is the current version."""
        if self._items is None or since == self._version:
            return None
        return self._version, self._message_of(self._items)


class LiveList:
    """Sends changes of a list to the clients that follow it. Without such clients, the list is not read."""

    def __init__(self, topic: str, changing: ListFeed) -> None:
        self._topic, self._changing = topic, changing
        self._known: dict[Outbox, int] = {}
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def send_soon(self) -> None:
        """Send the changes of the list soon. Call this from any thread; it returns immediately."""
        if self._loop is not None and self._known:
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._news.set)

    def follow(self, outbox: Outbox) -> None:
        """Start sending the list to this client. Call this on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._known.setdefault(outbox, -1)
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._send_changes())

    def leave(self, outbox: Outbox) -> None:
        """Stop sending the list to this client. Call this on the event loop."""
        self._known.pop(outbox, None)
        self._news.set()

    def stop(self) -> None:
        """Stop sending to all clients. Call this on the event loop."""
        self._known.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _send_changes(self) -> None:
        # Only this task reads the list, however often clients come and go: it ends by itself when all have left.
        while self._known:
            self._news.clear()
            try:
                await in_file_thread(self._changing.refresh)
            except GpuPerfError as error:  # a REST request for the list returns this error to users
                logger.debug("The list of %s can't be read: %s", self._topic, error.message)
            except Exception:  # an odd file must not end the list of all pages
                logger.exception("The list of %s can't be read.", self._topic)
            for outbox in tuple(self._known):
                outbox.offer(partial(self._changes_for, outbox), self._topic)
            await asyncio.sleep(SOON_SECONDS)
            pause = ACTIVE_SECONDS if self._changing.active else IDLE_SECONDS
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)
        self._task = None

    def _changes_for(self, outbox: Outbox) -> bytes | None:
        version = self._known.get(outbox)
        changes = None if version is None else self._changing.changes(version)
        if changes is None:
            return None
        self._known[outbox], message = changes
        return encode(message)
