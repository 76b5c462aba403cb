"""Split a magic's line into words, as a shell would, and show its manual to those who ask for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from IPython.utils.process import arg_split

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

BEFORE_COMMENT: Final = re.compile(
    r"""(?:\\.|[^\s"'#\\]|\s+(?!\#)|"(?:\\.|[^"\\])*"|'[^']*'|(?<=\S)\#)*"""
)


def words_of(line: str) -> list[str]:
    """Return the words of a magic's line, without the comment (`` # …``) at its end.

    Raises
    ------
    BadRequest
        ``usage``: a quotation mark is not closed.
    """
    found = BEFORE_COMMENT.match(line.strip())
    assert found is not None  # the pattern matches any text
    rest = line.strip()[found.end() :]
    text = found.group() if not rest or rest.lstrip().startswith("#") else line
    try:
        return list(arg_split(text, posix=True))
    except ValueError as error:
        message, hint = "Can't parse {line}: {error}.", "Check its quotation marks and backslashes."
        raise BadRequest("usage", message, hint, line=line.strip(), error=error) from None


def prints_help(words: Sequence[str], manual: Message) -> bool:
    """Print the manual if the words are a request for help; return whether they are."""
    is_asked = list(words) in (["-h"], ["--help"])
    if is_asked:
        print(translated(manual).rstrip())  # noqa: T201  (the user asked for it)
    return is_asked


def set_manual(magic: Any, manual: Message) -> None:
    """Give a magic its manual; IPython shows it in the user's language after ``%magic?``."""
    magic.__doc__ = manual
    magic.getdoc = lambda: translated(manual)
