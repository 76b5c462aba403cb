"""``%gpuperf``: the entry, which shows what can be done here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from jupyter_gpuperf.client.overview import Overview

MANUAL: Final = Message(
    """Show this notebook's GPU, kernel and panel, and the commands that work here.

%gpuperf    takes no options
"""
)


@shortened_errors()
def gpuperf(line: str) -> Overview | None:
    """Show what can be done here. :func:`register` replaces this docstring."""
    words = words_of(line)
    if prints_help(words, MANUAL):
        return None
    if words:
        message = "Unknown argument: {argument}."
        raise BadRequest("usage", message, "%gpuperf takes no options.", argument=words[0])
    from jupyter_gpuperf.client.overview import overview

    return overview()


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    set_manual(gpuperf, MANUAL)
    ipython.register_magic_function(gpuperf)
