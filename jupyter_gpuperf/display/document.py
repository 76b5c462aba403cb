"""Objects with a text and an HTML view of the same blocks.

``document.html`` renders the blocks. It escapes everything that is not marked as safe.
"""

from __future__ import annotations

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from markupsafe import Markup

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.blocks import Block, Heading, Line, Look, Part
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.printable import printable
from jupyter_gpuperf.messages.translator import language_of, translated

if TYPE_CHECKING:
    from jinja2 import Template


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
        """Return a copy of the content as plain data, in its documented shape, ready for JSON."""
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
    """Return a warning as a highlighted line."""
    return Line(Message("Careful: {warning}", warning=warning), "warning")


def joined(parts: Iterable[str], separator: str = " · ") -> str:
    """Join the parts that are not empty, each translated into the reader's language."""
    return separator.join(translated(part) for part in parts if part)


def html_of(blocks: Iterable[Block], *, wide: bool = False) -> str:
    """Return the blocks as HTML in the theme's colours."""
    blocks = _in_language(list(blocks))
    return _template("document.html").render(blocks=blocks, style=style, wide=wide)


def page_of(title: str, body: str) -> str:
    """Return a self-contained page with ``body``, which is HTML."""
    language = language_of(os.environ).replace("_", "-")
    return _template("page.html").render(title=title, body=Markup(body), language=language)


@functools.cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("jupyter_gpuperf", "display")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)


def text_of(blocks: Iterable[Block]) -> str:
    """Return the blocks as text, indented below a heading."""
    shown: list[Block] = _in_language(list(blocks))
    indent = "  " if isinstance(shown[0], Heading) else ""
    lines = (
        line if isinstance(block, Heading) else f"{indent}{line}".rstrip()
        for block in shown
        for line in block.lines()
    )
    return printable("\n".join(lines))  # a terminal obeys escape sequences in names from a file


def _in_language(part: Any) -> Any:
    """Return a block, or any part of one, with its texts in the reader's language."""
    if isinstance(part, str):
        return translated(part)
    if isinstance(part, list | tuple):
        return [_in_language(each) for each in part]
    if not isinstance(part, Part):
        return part
    names = [name for name in part.__struct_fields__ if name not in part.UNTRANSLATED]
    texts = {name: _in_language(getattr(part, name)) for name in names}
    return msgspec.structs.replace(part, **texts)
