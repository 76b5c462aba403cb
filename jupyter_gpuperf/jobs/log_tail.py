"""The end of a log, in bounded memory."""

from __future__ import annotations

import threading
from typing import Final

LONGEST_TAIL_BYTES: Final = 8192


class LogTail:
    """Keeps the last ``limit_bytes`` of a log. Thread-safe."""

    def __init__(self, limit_bytes: int = LONGEST_TAIL_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept = b""

    def add(self, part: bytes) -> None:
        """Add the next part of the log."""
        with self._lock:
            self._kept = (self._kept + part)[-self._limit_bytes :]

    def text(self) -> str:
        """Return the kept text; a character cut in two becomes a replacement character."""
        with self._lock:
            return self._kept.decode(errors="replace")
