"""Run blocking calls outside the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tornado.ioloop import IOLoop

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread, and return its result."""
    result: Awaitable[T] = IOLoop.current().run_in_executor(None, call)
    return await result
