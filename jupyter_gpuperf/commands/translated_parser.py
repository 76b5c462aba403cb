"""A parser of command lines whose help is in the user's language. Standard library only at module level."""

from __future__ import annotations

import argparse
import gettext
from typing import Any, Final, NoReturn

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.columns import marked, unmarked, wrapped
from jupyter_gpuperf.messages.translator import DOMAIN, LOCALES, translated

ARGPARSES: Final = 2
"""The exit code of argparse after an error."""


class _HelpFormatter(argparse.HelpFormatter):
    """Translates the first word of a help, and keeps lines of Chinese within a terminal's columns."""

    def add_usage(
        self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None
    ) -> None:
        word = marked(translated(Message("usage: "))) if prefix is None else prefix
        super().add_usage(usage, actions, groups, word)

    def format_help(self) -> str:
        return unmarked(super().format_help())

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(" ".join(text.split()), width)


class TranslatedParser(argparse.ArgumentParser):
    """Translates its help when that is printed; parsing needs no catalogue."""

    misused = ARGPARSES
    """The exit code after an error in the command line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_HelpFormatter, **options)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the process, with the exit code of this parser after an error."""
        super().exit(self.misused if status == ARGPARSES else status, message)

    def format_help(self) -> str:
        """Return the help in the user's language."""
        for text_of in (self, *self._action_groups):
            text_of.description = _translated(text_of.description)
        for group in self._action_groups:
            group.title = _translated(group.title)
        for action in self._actions:
            # A subcommand's own entry is a pseudo-action of the action that has them all.
            for each in (action, *getattr(action, "_choices_actions", ())):
                each.help = _translated(each.help)
        return super().format_help()


def translate_argparse() -> None:
    """Let argparse's own sentences be translated too. It asks the process's default catalogue: only for a shell."""
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)


def _translated(text: str | None) -> str | None:
    return text if not text or text == argparse.SUPPRESS else translated(Message(text))
