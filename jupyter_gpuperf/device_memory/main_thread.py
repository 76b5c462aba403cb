"""Call a function in the main thread from another one, between two instructions of the code that runs there.

What C++ code of torch holds, such as gradients and saved tensors, must not be read in another thread: an operation of the cell
runs without the interpreter's lock, and may replace or free it at the same moment, which ends the process with a
segmentation fault. In the main thread, no operation of the cell runs meanwhile.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import ctypes
import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, TypeVar

LONGEST_WAIT_SECONDS: Final = 2.0
RETURN_SECONDS: Final = 0.01
"""What the main thread needs to return to the cell, at most."""
T = TypeVar("T")
_waiting: Final[deque[Callable[[], None]]] = deque()
_interrupts: Final[deque[bool]] = deque()
"""Interrupts of the user that came while the main thread ran such a function: there, they would be lost."""


class MainThreadBusy(Exception):
    """The main thread runs a call that can't be interrupted."""


def call_in_main_thread(
    function: Callable[[], T], loop: asyncio.AbstractEventLoop | None = None
) -> T:
    """Return what a short function returns in the main thread.

    Parameters
    ----------
    loop
        The event loop of the main thread: while nothing runs there, only this wakes it.

    Raises
    ------
    MainThreadBusy
        It did not begin within two seconds.
    """
    if threading.current_thread() is threading.main_thread():
        return function()
    called: Future[T] = Future()
    once = _Once(functools.partial(_answer, called, function))
    _waiting.append(once)
    ctypes.pythonapi.Py_AddPendingCall(_run_waiting, None)
    if loop is not None:
        with contextlib.suppress(RuntimeError):  # it is closed
            loop.call_soon_threadsafe(once)
    try:
        return called.result(LONGEST_WAIT_SECONDS)
    except (FutureTimeoutError, CancelledError):  # before Python 3.11, no TimeoutError
        if called.cancel() or called.cancelled():
            raise MainThreadBusy from None
        return called.result()  # it has begun
    finally:
        if _interrupts:
            _interrupts.clear()
            time.sleep(RETURN_SECONDS)
            _thread.interrupt_main()


def _answer(called: Future[T], function: Callable[[], T]) -> None:
    if not called.set_running_or_notify_cancel():
        return
    try:
        called.set_result(function())
    except KeyboardInterrupt:
        _interrupts.append(True)  # first: the other thread looks as soon as it has its answer
        called.set_exception(MainThreadBusy())
    except BaseException as error:  # noqa: BLE001  (for the thread that asked)
        called.set_exception(error)


class _Once:
    """A function that is called once, whoever calls it first."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._functions = [function]

    def __call__(self) -> None:
        with contextlib.suppress(IndexError):
            self._functions.pop()()


def _run_next(_: Any) -> int:
    try:
        while _waiting:
            _waiting.popleft()()
    except KeyboardInterrupt:  # of the user, for the cell
        _interrupts.append(True)
    return 0


_run_waiting: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_run_next)
