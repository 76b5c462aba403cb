"""Split a byte stream into lines, in bounded memory."""

from __future__ import annotations


class LineBuffer:
    """Splits incoming bytes into lines.

    Parameters
    ----------
    longest_bytes
        Maximum length of a line; longer lines are skipped.
    """

    def __init__(self, longest_bytes: int) -> None:
        self._longest_bytes = longest_bytes
        self._rest = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """Add received bytes, and return the lines that they complete, without line ends.

        ``None`` stands for a line that is too long.
        """
        lines: list[bytes | None] = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if not self._skipping:  # a skipped line was already reported when it grew too long
                line = bytes(self._rest + part)
                lines.append(None if len(line) > self._longest_bytes else line)
            self._rest, self._skipping = bytearray(), False
        if not self._skipping:
            self._rest += rest
            if len(self._rest) > self._longest_bytes:
                self._rest, self._skipping = bytearray(), True
                lines.append(None)
        return lines
