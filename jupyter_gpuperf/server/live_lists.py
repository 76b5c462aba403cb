"""Lists that pages follow on the live socket: jobs, suites, recordings.

A page that follows one gets its present state at once, then what it does not know yet. Of a page that stalls only a
number is kept: what it is sent when it comes back is made then.
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
from jupyter_gpuperf.server.threads import in_thread

logger = logging.getLogger(__name__)

SOON_SECONDS: Final = 0.25
"""Changes that come faster are told together."""
ACTIVE_SECONDS: Final = 1.0
"""While anything runs, its duration and what is left of it change without news."""
IDLE_SECONDS: Final = 10.0
"""Files may have come, or gone, without our doing."""

RUNS: Final = ("queued", "running", "recording")
Item = TypeVar("Item", SuiteInfo, RecordingInfo)


class Changing(Protocol):
    """A list as those see it who follow it."""

    @property
    def active(self) -> bool:
        """Whether anything in it runs."""
        ...

    def refresh(self) -> None:
        """Look anew; away from the event loop."""
        ...

    def changes(self, since: int) -> tuple[int, Struct] | None:
        """Return the present version and what one does not know who knows this one, -1 for nothing; at once."""
        ...


class WholeList(Generic[Item]):
    """A list that is told as a whole when any of it has changed.

    Parameters
    ----------
    read
        Gives it; may block.
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
        """Whether anything in it runs."""
        return any(each.state in RUNS for each in self._items or ())

    def refresh(self) -> None:
        """Read it."""
        items = self._read()
        if items != self._items:
            self._items, self._version = items, self._version + 1

    def changes(self, since: int) -> tuple[int, Struct] | None:
        """Return all of it, unless it is known."""
        if self._items is None or since == self._version:
            return None
        return self._version, self._message_of(self._items)


class LiveList:
    """Tells those who follow a list of its changes; while nobody does, nothing is looked at."""

    def __init__(self, topic: str, changing: Changing) -> None:
        self._topic, self._changing = topic, changing
        self._known: dict[Outbox, int] = {}
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Say that it has changed. Any thread; returns at once."""
        if self._loop is not None and self._known:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(self._news.set)

    def follow(self, outbox: Outbox) -> None:
        """Tell this client from now on. On the loop."""
        self._loop = asyncio.get_running_loop()
        self._known.setdefault(outbox, -1)
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._tell())

    def leave(self, outbox: Outbox) -> None:
        """Tell this client nothing more. On the loop."""
        self._known.pop(outbox, None)
        if not self._known and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _tell(self) -> None:
        while True:
            self._news.clear()
            try:
                await in_thread(self._changing.refresh)
            except GpuPerfError as error:  # a page that asks by REST is told so
                logger.debug("The list of %s can't be read: %s", self._topic, error.message)
            for outbox in tuple(self._known):
                outbox.offer(partial(self._unknown_to, outbox), self._topic)
            await asyncio.sleep(SOON_SECONDS)
            pause = ACTIVE_SECONDS if self._changing.active else IDLE_SECONDS
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)

    def _unknown_to(self, outbox: Outbox) -> bytes | None:
        known = self._known.get(outbox)
        found = None if known is None else self._changing.changes(known)
        if found is None:
            return None
        self._known[outbox], message = found
        return encode(message)
