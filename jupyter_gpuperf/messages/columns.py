"""Text in the columns of a terminal, where a Chinese character takes two.

``textwrap`` and ``argparse`` count characters. They count columns in text with a mark after each wide character.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Any, Final

MARK: Final = "\0"
_PIECE: Final = re.compile(
    r"(?:[（《]\0)*"  # ends no line
    r"(?:(?:[^\0](?!\0))+|[^\0]\0)"  # a word, or a character of a language without spaces
    r"(?:[，。；：、）》？！]\0)*"  # begins no line
)


def text_width(text: str) -> int:
    """Return the width in terminal columns."""
    return len(marked(text))


def wrapped(text: str, width: int, **options: Any) -> list[str]:
    """Return the text in lines of at most ``width`` columns; the options are those of :class:`textwrap.TextWrapper`."""
    return list(map(unmarked, _Wrapper(width, **options).wrap(marked(text))))


class _Wrapper(textwrap.TextWrapper):
    def _split(self, text: str) -> list[str]:
        return [piece for word in super()._split(text) for piece in _PIECE.findall(word)]


def marked(text: str) -> str:
    """Return the text with a mark after each character that takes two columns."""
    return "".join(
        each + MARK if unicodedata.east_asian_width(each) in "WF" else each for each in text
    )


def unmarked(text: str) -> str:
    """Return the text without the marks."""
    return text.replace(MARK, "")
