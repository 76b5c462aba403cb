"""Write to standard error without ever waiting for who reads it: a full pipe must not keep us from noticing the script's end."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from typing import Final

MOST_UNWRITTEN: Final = 64
"""Further texts are dropped, except for the summary."""


class ErrorOutput:
    """Standard error, written by a thread of its own."""

    def __init__(self) -> None:
        # None if it was closed at the start: its descriptor may be any other file of ours then.
        self.descriptor = None if sys.stderr is None else sys.stderr.fileno()
        self._encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        self._unwritten: deque[str] = deque()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="gpuperf-stderr", daemon=True)

    def write(self, text: str, *, is_dropped: bool = True) -> None:
        """Write a text soon; if nobody reads for long, it is dropped, unless ``is_dropped`` is false."""
        if self.descriptor is None:
            return
        with self._changed:
            if is_dropped and len(self._unwritten) >= MOST_UNWRITTEN:
                return
            self._unwritten.append(text)
            self._changed.notify_all()
        if self._thread.ident is None:
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is written, for at most ``seconds``; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unwritten, seconds)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unwritten)
                text = self._unwritten[0]
            self._write(text)
            with self._changed:
                self._unwritten.popleft()
                self._changed.notify_all()

    def _write(self, text: str) -> None:
        assert self.descriptor is not None  # write() has checked it
        try:
            left = text.encode(self._encoding)
        except UnicodeEncodeError:
            left = text.replace("\xa0", " ").encode(self._encoding, "replace")
        while left:
            try:
                left = left[os.write(self.descriptor, left) :]
            except BlockingIOError:  # another program made the pipe non-blocking
                waiting = select.poll()
                waiting.register(self.descriptor, select.POLLOUT)
                waiting.poll()
            except OSError:  # nobody reads it any more: the script goes on
                return
