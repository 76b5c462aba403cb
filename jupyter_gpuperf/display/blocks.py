"""Blocks that describe what a result shows: written once, rendered as text and as HTML.

``document.html`` renders them as HTML; as text, each block renders itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, Final, Literal

import msgspec

from jupyter_gpuperf.messages.columns import text_width

RIGHT: Final = ("value", "number", "quiet_number")
"""Keys of ``style.CELLS`` for right-aligned columns."""
Look = Literal["plain", "strong", "quiet", "small", "warning"]


class Part(msgspec.Struct, frozen=True):
    """A block, or a table cell; ``document.html`` selects its rendering by ``kind``.

    Rendering translates its texts, except in the fields named in ``UNTRANSLATED``.
    """

    UNTRANSLATED: ClassVar[Collection[str]] = ("look", "looks", "markup")

    @property
    def kind(self) -> str:
        """Return the class name in lower case."""
        return type(self).__name__.lower()


class Block(Part, frozen=True):
    """A part that occupies whole lines. By default, it has no text."""

    def lines(self) -> Iterator[str]:
        """Yield the block as lines of text."""
        yield from ()


class Heading(Block, frozen=True):
    """The first line: a title, followed by less prominent text."""

    text: str
    quiet: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the title and the quiet text on one line."""
        yield f"{self.text}  {self.quiet}".rstrip()


class Line(Block, frozen=True):
    """A single line."""

    text: str
    look: Look = "plain"

    def lines(self) -> Iterator[str]:
        """Yield the line."""
        yield self.text


class Bar(Part, frozen=True):
    """A cell that draws a ratio from 0 to 1 as a bar. Columns of bars are omitted in text."""

    ratio: float


class Span(Part, frozen=True):
    """The last cell of a shorter row; spans all remaining columns."""

    text: str


Cell = str | Bar | Span


class Table(Block, frozen=True):
    """Rows of cells. ``looks`` has one key of ``style.CELLS`` per column; ``bold`` has the indices of the bold rows."""

    rows: Sequence[Sequence[Cell]]
    looks: Sequence[str]
    head: Sequence[str] = ()
    bold: Collection[int] = ()

    def lines(self) -> Iterator[str]:
        """Yield the rows, with their columns aligned."""
        looks = [look for look in self.looks if look != "bar"]
        head = [name for name, look in zip(self.head, self.looks, strict=False) if look != "bar"]
        rows = [[*self._text_cells(row)] for row in self.rows]
        lines: list[list[str | Span]] = [[*head], *rows] if head else rows
        whole = [line for line in lines if not any(isinstance(cell, Span) for cell in line)]
        widths = [
            max(text_width(str(cell)) for cell in column) for column in zip(*whole, strict=True)
        ]
        for line in lines:
            yield "  ".join(
                cell.text if isinstance(cell, Span) else padded(cell, width, right=look in RIGHT)
                for cell, width, look in zip(line, widths, looks, strict=False)
            ).rstrip()

    def _text_cells(self, row: Sequence[Cell]) -> Iterator[str | Span]:
        for cell, look in zip(row, self.looks, strict=False):
            if isinstance(cell, Span) or (isinstance(cell, str) and look != "bar"):
                yield cell


class Code(Block, frozen=True):
    """Code, or a command to type."""

    UNTRANSLATED = ("text",)

    text: str
    title: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the title, and the code below it."""
        yield from filter(None, [self.title])
        yield from (f"  {line}" if self.title else line for line in self.text.splitlines())


class Items(Block, frozen=True):
    """A list of sentences under a title."""

    title: str
    sentences: Sequence[str]

    def lines(self) -> Iterator[str]:
        """Yield one line per sentence, each preceded by the title."""
        yield from (f"{self.title}: {each}" for each in self.sentences)


class Drawing(Block, frozen=True):
    """HTML that is not escaped; omitted in text."""

    markup: str


class WarningBox(Block, frozen=True):
    """A group of blocks, marked as a warning."""

    blocks: Sequence[Block]

    def lines(self) -> Iterator[str]:
        """Yield an empty line, then the lines of the blocks."""
        yield ""
        yield from (line for each in self.blocks for line in each.lines())


class Folded(Block, frozen=True):
    """A summary, and blocks that the reader can expand below it."""

    summary: str
    blocks: Sequence[Block]
    is_open: bool = False

    def lines(self) -> Iterator[str]:
        """Yield an empty line and the summary; if ``is_open``, the lines of the blocks follow."""
        yield from ("", self.summary)
        if self.is_open:
            yield from (line for each in self.blocks for line in each.lines())


class Progress(Block, frozen=True):
    """A progress bar for a ratio from 0 to 1; omitted in text."""

    ratio: float


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return the text padded to the column width."""
    space = " " * max(0, width - text_width(text))
    return f"{space}{text}" if right else f"{text}{space}"
