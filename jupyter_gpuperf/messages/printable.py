"""Remove from foreign text what a terminal, a log or an editor would obey instead of showing it.

Text of kernels, workers, files and plugins may contain anything: a carriage return runs a command in a terminal, escape
sequences rewrite its screen, marks of direction show code in another order than it runs in, and half of a surrogate
pair can't be encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

UNPRINTABLE: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and newline
    r"\u2028\u2029"  # ends of lines that only some programs recognise
    r"\u202a-\u202e\u2066-\u2069"  # marks that reverse the text after them
    r"\ud800-\udfff"  # halves of surrogate pairs
)
"""Inside of a class of a regular expression."""
REPLACEMENT: Final = "\ufffd"
_COLOURS: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r(?=\n)")
_UNPRINTABLE: Final = re.compile(f"[{UNPRINTABLE}]")


def printable(text: str) -> str:
    """Return the text without colour codes, with all other unprintable characters replaced; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(REPLACEMENT, _COLOURS.sub("", text))


def printable_data(data: Any) -> Any:
    """Return a copy of decoded JSON in which every text is printable."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, Mapping):
        return {printable(name): printable_data(value) for name, value in data.items()}
    return [printable_data(each) for each in data] if isinstance(data, list) else data
