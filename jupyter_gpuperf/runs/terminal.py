"""Write to standard error beside a script that writes to the same terminal: a status line below its output, or plain lines."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import Final

from jupyter_gpuperf.kernel_link.address import kernel_id
from jupyter_gpuperf.messages.printable import printable

FEWEST_ROWS: Final = 6
FIRST_LINE_SECONDS: Final = 10.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Between two plain lines: in a log, they are for orientation."""
PREFIX: Final = "gpuperf: "


class PlainLines:
    """Lines for a log. The pauses between two states grow, and what is new is written at once."""

    def __init__(self) -> None:
        self._due_seconds = self._pause_seconds = FIRST_LINE_SECONDS

    def open(self) -> None:
        """Begin."""

    def show(self, text: str, seconds: float) -> None:
        """Write the state after ``seconds`` of the run, if it is due."""
        if seconds >= self._due_seconds:
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            self._due_seconds = seconds + self._pause_seconds
            self.write(text)

    def write(self, text: str) -> None:
        """Write a line now."""
        _write(f"{PREFIX}{printable(text)}\n")

    def close(self) -> None:
        """End."""


class Silence(PlainLines):
    """Writes nothing."""

    def show(self, text: str, seconds: float) -> None:
        """Write nothing."""

    def write(self, text: str) -> None:
        """Write nothing."""


class StatusLine(PlainLines):
    """The last row of a terminal. The script's output scrolls above it, so neither overwrites the other."""

    def __init__(self) -> None:
        super().__init__()
        self._size: os.terminal_size | None = None

    def open(self) -> None:
        """Keep the last row free from what the script prints."""
        self._size = os.get_terminal_size(sys.stderr.fileno())
        rows = self._size.lines
        # A new line first: the cursor may be in the last row. Setting the region moves the cursor, so it is restored.
        _write(f"\n\x1b7\x1b[1;{rows - 1}r\x1b8\x1b[1A")

    def show(self, text: str, seconds: float) -> None:
        """Replace the line."""
        size = os.get_terminal_size(sys.stderr.fileno())
        if size != self._size:
            self.open()
        shown = _cut(printable(text), size.columns)
        _write(f"\x1b7\x1b[{size.lines};1H\x1b[2K\x1b[7m{shown}\x1b[0m\x1b8")

    def close(self) -> None:
        """Give the last row back."""
        if self._size is not None:
            rows, self._size = self._size.lines, None
            _write(f"\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8")


def lines_for(*, is_quiet: bool) -> PlainLines:
    """Return what suits standard error: a status line in a terminal, otherwise plain lines."""
    if is_quiet:
        return Silence()
    try:
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        if kernel_id() is not None:  # a cell's "!" pretends to be a terminal
            return PlainLines()
        if is_terminal and os.get_terminal_size(sys.stderr.fileno()).lines >= FEWEST_ROWS:
            return StatusLine()
    except (OSError, ValueError):  # it is closed, or no terminal after all
        pass
    return PlainLines()


def _cut(text: str, columns: int) -> str:
    """Return as much of the text as fits into one row."""
    width = 0
    for index, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > columns - 1:
            return f"{text[:index]}…"
    return text


def write_text(text: str) -> None:
    """Write some lines of text, without what a terminal would obey."""
    _write(f"{printable(text)}\n")


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads it any more: the script goes on
        pass
