"""Write beside a script that writes to the same terminal: a status line below its output, or plain lines."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from jupyter_gpuperf.messages.printable import printable
from jupyter_gpuperf.runs.error_output import ErrorOutput

FEWEST_ROWS: Final = 6
FIRST_LINE_SECONDS: Final = 10.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Between two plain lines: in a log, they are for orientation."""
PREFIX: Final = "gpuperf: "
KERNEL: Final = re.compile(r"kernel-.+\.json|ipykernel\w*|\w+_kernel_launcher")
"""What is among the words of a command that starts a kernel."""


class PlainLines:
    """Lines for a log. The pauses between two states grow, and what is new is written at once."""

    def __init__(self, output: ErrorOutput) -> None:
        self._output = output
        self._due_seconds = self._pause_seconds = FIRST_LINE_SECONDS

    def show(self, text: str, seconds: float) -> None:
        """Write the state after ``seconds`` of the run, if it is due."""
        if seconds >= self._due_seconds:
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            self._due_seconds = seconds + self._pause_seconds
            self.write(text)

    def write(self, text: str) -> None:
        """Write a line now."""
        self._output.write(f"{PREFIX}{_in_one_line(text)}\n")

    def close(self) -> None:
        """End, or pause until there is something to show again."""


class Silence(PlainLines):
    """Writes nothing."""

    def show(self, text: str, seconds: float) -> None:
        """Write nothing."""

    def write(self, text: str) -> None:
        """Write nothing."""


class StatusLine(PlainLines):
    """The last row of a terminal. The script's output scrolls above it, so neither overwrites the other."""

    def __init__(self, output: ErrorOutput, descriptor: int) -> None:
        super().__init__(output)
        self._descriptor = descriptor
        self._size: os.terminal_size | None = None

    def show(self, text: str, seconds: float) -> None:
        """Replace the line, unless the terminal is too small, or belongs to another job at the moment."""
        if not self._is_ours():
            return
        size = os.get_terminal_size(self._descriptor)
        if size.lines < FEWEST_ROWS:
            self.close()
            return
        if size != self._size:
            self._open(size)
        shown = _cut(_in_one_line(text), size.columns)
        self._output.write(f"\x1b7\x1b[{size.lines};1H\x1b[2K\x1b[7m{shown}\x1b[0m\x1b8")

    def write(self, text: str) -> None:
        """Write a line now, as far as the terminal is ours."""
        if self._is_ours():
            super().write(text)

    def close(self) -> None:
        """Give the last row back."""
        if self._size is not None:
            rows, self._size = self._size.lines, None
            self._output.write(f"\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8", is_dropped=False)

    def _open(self, size: os.terminal_size) -> None:
        self._size = size
        # All rows first, as after a change of size. Then away from the last row, where the cursor may be: a row down, which
        # scrolls there, and up again. Setting the region moves the cursor, so it is restored.
        whole, off_the_last_row = "\x1b7\x1b[r\x1b8", "\x1bD\x1b[1A"
        region = f"\x1b7\x1b[1;{size.lines - 1}r\x1b8"
        self._output.write(f"{whole}{off_the_last_row}{region}")

    def _is_ours(self) -> bool:
        """Whether the run is the terminal's foreground job. A job that writes in the background may be stopped for it."""
        with contextlib.suppress(OSError):  # it is not the terminal from which the run was started
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        return True


def lines_for(output: ErrorOutput, *, is_quiet: bool) -> PlainLines:
    """Return what suits standard error: a status line in a terminal, otherwise plain lines."""
    descriptor = output.descriptor
    if is_quiet or descriptor is None:
        return Silence(output)
    is_terminal = os.isatty(descriptor) and os.environ.get("TERM", "dumb") != "dumb"
    if is_terminal and not _is_in_cell():
        return StatusLine(output, descriptor)
    return PlainLines(output)


def _is_in_cell() -> bool:
    """Whether a cell's ``!`` started us, which pretends to be a terminal. Only the kernel's command tells, in any editor."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for each in psutil.Process().parents():
            with contextlib.suppress(psutil.Error):  # another user's process, or it has ended
                if any(map(KERNEL.fullmatch, (Path(word).name for word in each.cmdline()))):
                    return True
    return False


def _in_one_line(text: str) -> str:
    return " ".join(printable(text).splitlines()).replace("\t", " ")


def _cut(text: str, columns: int) -> str:
    """Return as much of the text as fits into one row."""
    width = 0
    for index, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > columns - 1:
            return f"{text[:index]}…"
    return text
