"""Blocks that describe what a result shows: written once, rendered as text and as HTML.

``document.html`` renders the blocks. It escapes everything that is not marked as safe.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import msgspec
from markupsafe import Markup

from jupyter_gpuperf.display import style
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import language_of, translated

if TYPE_CHECKING:
    from jinja2 import Template

RIGHT: Final = ("value", "number", "quiet_number")
Look = Literal["plain", "strong", "quiet", "small", "warning"]


class _Part(msgspec.Struct, frozen=True):
    """A block, or a table cell; ``document.html`` selects its rendering by ``kind``.

    Its texts are translated when it is rendered, except for the fields in ``UNTRANSLATED``.
    """

    UNTRANSLATED: ClassVar[Collection[str]] = ("look", "looks", "markup")

    @property
    def kind(self) -> str:
        """Return the class name in lower case."""
        return type(self).__name__.lower()


class Heading(_Part, frozen=True):
    """The first line: a title, followed by less prominent text."""

    text: str
    quiet: str = ""


class Line(_Part, frozen=True):
    """A single line."""

    text: str
    look: Look = "plain"


class Bar(_Part, frozen=True):
    """A cell that draws a ratio from 0 to 1 as a bar; omitted in text."""

    ratio: float


class Rest(_Part, frozen=True):
    """The last cell of a shorter row; spans all remaining columns."""

    text: str


Cell = str | Bar | Rest


class Table(_Part, frozen=True):
    """Rows of cells. Each column has a look from ``style.CELLS``; ``bold`` holds the indexes of bold rows."""

    rows: Sequence[Sequence[Cell]]
    looks: Sequence[str]
    head: Sequence[str] = ()
    bold: Collection[int] = ()


class Code(_Part, frozen=True):
    """Code, or a command to type."""

    UNTRANSLATED = ("text",)

    text: str
    title: str = ""


class Items(_Part, frozen=True):
    """A list of sentences under a title."""

    title: str
    sentences: Sequence[str]


class Drawing(_Part, frozen=True):
    """HTML that is already safe; omitted in text."""

    markup: str


class Boxed(_Part, frozen=True):
    """A group of blocks, marked as a warning."""

    blocks: Sequence[Block]


class Folded(_Part, frozen=True):
    """Blocks that can be folded out."""

    summary: str
    blocks: Sequence[Block]
    is_open: bool = False


class Progress(_Part, frozen=True):
    """A progress bar, from 0 to 1."""

    ratio: float


Block = Heading | Line | Table | Code | Items | Drawing | Boxed | Folded | Progress


class Displayed(ABC):
    """An object with a text and an HTML view of the same blocks."""

    wide: ClassVar[bool] = False

    @abstractmethod
    def blocks(self) -> Iterable[Block]:
        """Yield the blocks, from top to bottom."""

    def __repr__(self) -> str:
        return text_of(self.blocks())

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # IPython calls this
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return html_of(self.blocks(), wide=self.wide)


class Sentence(Displayed):
    """A single line as a displayed object."""

    def __init__(self, text: str, look: Look = "plain") -> None:
        self._line = Line(text, look)

    def blocks(self) -> Iterator[Block]:
        """Yield the line."""
        yield self._line


class PlainDataView:
    """An object whose whole content is ``data``, in the shape that is sent over the wire."""

    data: msgspec.Struct

    def to_dict(self) -> dict[str, Any]:
        """Return the content in its documented shape: new, plain data, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data, enc_hook=str)
        return plain


class DisplayedOnce(Displayed):
    """The result of a magic that both displays and returns it; the cell shows it once."""

    @abstractmethod
    def terminal_name(self) -> str:
        """Return the name that a terminal prints if the result is already shown above."""

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        from jupyter_gpuperf.display.show_once import is_shown_in_this_cell

        # A terminal has already written its Out[…] prompt and needs text after it.
        terminal_name = translated(Message("<{result}, as above>", result=self.terminal_name()))
        printer.text(terminal_name if is_shown_in_this_cell(self) else repr(self))

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.display.show_once import in_terminal, is_shown_in_this_cell

        if in_terminal() or not is_shown_in_this_cell(self):
            raise NotImplementedError  # makes IPython fall back to the views above


def warning_line(warning: str) -> Line:
    """Return a line that warns of something."""
    return Line(Message("Careful: {warning}", warning=translated(warning)), "warning")


def joined(parts: Iterable[str], separator: str = " · ") -> str:
    """Return the parts that are not empty on one line, each in the reader's language."""
    return separator.join(translated(part) for part in parts if part)


def html_of(blocks: Iterable[Block], *, wide: bool = False) -> str:
    """Return the blocks as HTML in the theme's colours."""
    blocks = _in_language(list(blocks))
    return _template("document.html").render(blocks=blocks, style=style, wide=wide)


def page_of(title: str, body: str) -> str:
    """Return the HTML as a self-contained page."""
    language = language_of(os.environ).replace("_", "-")
    return _template("page.html").render(title=title, body=Markup(body), language=language)


@functools.cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("jupyter_gpuperf", "display")
    return Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def text_of(blocks: Iterable[Block]) -> str:
    """Return the blocks as text, indented below a heading."""
    shown: list[Block] = _in_language(list(blocks))
    indent = "  " if isinstance(shown[0], Heading) else ""
    return "\n".join(
        line if isinstance(block, Heading) else f"{indent}{line}".rstrip()
        for block in shown
        for line in _lines(block)
    )


def _in_language(part: Any) -> Any:
    """Return a block, or a part of one, with its texts in the reader's language."""
    if isinstance(part, str):
        return translated(part)
    if isinstance(part, list | tuple):
        return [_in_language(each) for each in part]
    if not isinstance(part, _Part):
        return part
    names = [name for name in part.__struct_fields__ if name not in part.UNTRANSLATED]
    texts = {name: _in_language(getattr(part, name)) for name in names}
    return msgspec.structs.replace(part, **texts)


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
        yield from ("", block.summary) if isinstance(block, Folded) else ("",)
        if isinstance(block, Boxed) or block.is_open:
            yield from (line for each in block.blocks for line in _lines(each))


def _aligned(table: Table) -> Iterator[str]:
    looks = [look for look in table.looks if look != "bar"]
    head = [name for name, look in zip(table.head, table.looks, strict=False) if look != "bar"]
    rows = [[cell for cell in row if not isinstance(cell, Bar)] for row in table.rows]
    lines: list[list[str | Rest]] = [[*head], *rows] if head else rows
    whole = [line for line in lines if not any(isinstance(cell, Rest) for cell in line)]
    widths = [max(text_width(str(cell)) for cell in column) for column in zip(*whole, strict=True)]
    for line in lines:
        yield "  ".join(
            cell.text if isinstance(cell, Rest) else padded(cell, width, right=look in RIGHT)
            for cell, width, look in zip(line, widths, looks, strict=False)
        ).rstrip()


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return the text padded to the column width."""
    space = " " * max(0, width - text_width(text))
    return f"{space}{text}" if right else f"{text}{space}"


def text_width(text: str) -> int:
    """Return the width in terminal columns; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
