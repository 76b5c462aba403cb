"""What a result shows, as blocks: written once, read as text and as HTML.

``document.html`` draws the blocks; all that is not marked as safe is escaped there.
"""

from __future__ import annotations

import functools
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from markupsafe import Markup

from jupyter_gpuperf.display import style

if TYPE_CHECKING:
    from jinja2 import Template

RIGHT: Final = ("value", "number", "quiet_number")
CAREFUL: Final = "Careful: "


@dataclass(frozen=True)
class Heading:
    """The first line: what it is, and quieter words behind."""

    kind: ClassVar = "heading"
    text: str
    quiet: str = ""


@dataclass(frozen=True)
class Line:
    """A line of its own."""

    kind: ClassVar = "line"
    text: str
    look: Literal["plain", "strong", "quiet", "small", "warning"] = "plain"


@dataclass(frozen=True)
class Bar:
    """A cell that draws a share from 0 to 1; text leaves its column out."""

    kind: ClassVar = "bar"
    ratio: float


@dataclass(frozen=True)
class Rest:
    """The last cell of a row that has fewer, over all columns that remain."""

    kind: ClassVar = "rest"
    text: str


Cell = str | Bar | Rest


@dataclass(frozen=True)
class Table:
    """Rows of cells, in columns that each have a look of ``style.CELLS``; some rows may be bold."""

    kind: ClassVar = "table"
    rows: Sequence[Sequence[Cell]]
    looks: Sequence[str]
    head: Sequence[str] = ()
    bold: Collection[int] = ()


@dataclass(frozen=True)
class Code:
    """Code, or what one types."""

    kind: ClassVar = "code"
    text: str
    title: str = ""


@dataclass(frozen=True)
class Items:
    """Sentences under a title."""

    kind: ClassVar = "items"
    title: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Drawing:
    """HTML that is safe; text has nothing in its place."""

    kind: ClassVar = "drawing"
    markup: str


@dataclass(frozen=True)
class Boxed:
    """Blocks that belong together, marked as a warning."""

    kind: ClassVar = "boxed"
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Folded:
    """Blocks that unfold."""

    kind: ClassVar = "folded"
    summary: str
    blocks: Sequence[Block]
    is_open: bool = False


@dataclass(frozen=True)
class Progress:
    """How far it is, from 0 to 1."""

    kind: ClassVar = "progress"
    ratio: float


Block = Heading | Line | Table | Code | Items | Drawing | Boxed | Folded | Progress


class Displayed(ABC):
    """Something with a text and an HTML view of the same blocks."""

    wide: ClassVar[bool] = False

    @abstractmethod
    def blocks(self) -> Iterable[Block]:
        """Yield what it shows, from the top."""

    def __repr__(self) -> str:
        return text_of(self.blocks())

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # IPython's
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return html_of(self.blocks(), wide=self.wide)


class DisplayedOnce(Displayed):
    """The result of a magic, which displays it and returns it: the cell shows it once."""

    @abstractmethod
    def above(self) -> str:
        """Return what a terminal calls it, where it is shown above already."""

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        from jupyter_gpuperf.display.show_once import in_this_cell

        # A terminal has written its Out[…] prompt by now, and wants something behind it.
        printer.text(f"<{self.above()}, as above>" if in_this_cell(self) else repr(self))

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.display.show_once import in_terminal, in_this_cell

        if in_terminal() or not in_this_cell(self):
            raise NotImplementedError  # IPython then goes on to the views above


def html_of(blocks: Iterable[Block], *, wide: bool = False) -> str:
    """Return blocks as HTML in the theme's own colours."""
    return _template("document.html").render(blocks=list(blocks), style=style, wide=wide)


def page_of(title: str, body: str) -> str:
    """Return HTML as a page of its own, which needs nothing else."""
    return _template("page.html").render(title=title, body=Markup(body))


@functools.cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("jupyter_gpuperf", "display")
    return Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def text_of(blocks: Iterable[Block]) -> str:
    """Return blocks as text; below a heading all is indented."""
    blocks = list(blocks)
    indent = "  " if isinstance(blocks[0], Heading) else ""
    lines = [
        line if isinstance(block, Heading) else f"{indent}{line}".rstrip()
        for block in blocks
        for line in _lines(block)
    ]
    return "\n".join(lines)


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{block.text}  {block.quiet}".rstrip()
    elif isinstance(block, Line):
        yield block.text
    elif isinstance(block, Table):
        yield from _aligned(block)
    elif isinstance(block, Code):
        yield from filter(None, [block.title])
        yield from (f"  {line}" if block.title else line for line in block.text.splitlines())
    elif isinstance(block, Items):
        yield from (f"{block.title}: {each}" for each in block.sentences)
    elif isinstance(block, Boxed | Folded):
        yield from (line for each in block.blocks for line in _lines(each))


def _aligned(table: Table) -> Iterator[str]:
    looks = [look for look in table.looks if look != "bar"]
    head = [name for name, look in zip(table.head, table.looks, strict=False) if look != "bar"]
    rows = [[cell for cell in row if not isinstance(cell, Bar)] for row in table.rows]
    lines: list[list[str | Rest]] = [[*head], *rows] if head else rows
    whole = [line for line in lines if not any(isinstance(cell, Rest) for cell in line)]
    widths = [max(_width(str(cell)) for cell in column) for column in zip(*whole, strict=True)]
    for line in lines:
        yield "  ".join(
            cell.text if isinstance(cell, Rest) else _padded(cell, width, look)
            for cell, width, look in zip(line, widths, looks, strict=False)
        ).rstrip()


def _padded(text: str, width: int, look: str) -> str:
    space = " " * max(0, width - _width(text))
    return f"{space}{text}" if look in RIGHT else f"{text}{space}"


def _width(text: str) -> int:
    """Return how many places a text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
