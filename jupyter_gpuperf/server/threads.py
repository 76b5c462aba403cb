"""Run blocking calls outside the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tornado.ioloop import IOLoop

T = TypeVar("T")

# Asyncio's default pool belongs to the whole Jupyter server, so it is not used.
_computing: Final = ThreadPoolExecutor(4, "gpuperf")
_waiting: Final = ThreadPoolExecutor(8, "gpuperf-files")


async def in_thread(call: Callable[[], T]) -> T:
    """Run a call that takes a while in a thread, and return its result."""
    result: Awaitable[T] = IOLoop.current().run_in_executor(_computing, call)
    return await result


async def in_file_thread(call: Callable[[], T]) -> T:
    """Run a call that waits for files or processes; a disk that hangs must not keep :func:`in_thread` from running."""
    result: Awaitable[T] = IOLoop.current().run_in_executor(_waiting, call)
    return await result
