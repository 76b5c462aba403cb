"""Requests that a thread answers later. They wait without holding a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Requests(Generic[T]):
    """The requests that wait for an answer. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Future[T]] = []

    def add(self) -> Future[T]:
        """Return a new request. Whoever cancels it is forgotten, even if no answer ever comes."""
        request: Future[T] = Future()
        with self._lock:
            self._waiting = [*self.unanswered(), request]
        return request

    def unanswered(self) -> list[Future[T]]:
        """Return the requests that wait now."""
        return [each for each in self._waiting if not each.done()]


def answer(requests: Iterable[Future[T]], value: T) -> None:
    """Answer requests, except those that were cancelled meanwhile."""
    for each in requests:
        if each.set_running_or_notify_cancel():
            each.set_result(value)


def fail(requests: Iterable[Future[T]], error: Exception) -> None:
    """Answer requests with an error, except those that were cancelled meanwhile."""
    for each in requests:
        if each.set_running_or_notify_cancel():
            each.set_exception(error)
