"""Translate messages into the language of a shell or a notebook, with the gettext catalogue."""

from __future__ import annotations

import functools
import gettext
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.messages.message import Message, filled

DOMAIN: Final = "jupyter_gpuperf"
LOCALES: Final = Path(__file__).parents[1] / "locale"
VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""In gettext's order; the first may be a list with colons."""


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language that environment variables set, such as ``zh_CN``; ``en`` if they set none."""
    values = (environment.get(name) for name in VARIABLES)
    wanted = next(filter(None, values), "").split(":")[0].split(".")[0]
    # Users of every Chinese locale get the only Chinese catalogue instead of English.
    return "zh_CN" if wanted.startswith("zh") else "en" if wanted in ("", "C", "POSIX") else wanted


class Translator:
    """Translates messages into one language. Messages that are missing from the catalogue stay English.

    Parameters
    ----------
    language
        The language, in the format of :func:`language_of`.
    """

    def __init__(self, language: str) -> None:
        self._catalog = gettext.translation(DOMAIN, LOCALES, [language], fallback=True)

    def __call__(self, text: str) -> str:
        """Return a message in this language. Return any other string unchanged: it may be a user's name."""
        if not isinstance(text, Message) or not text:
            return text
        if not text.parameters:
            return self._catalog.gettext(text)
        if text.plural is None:
            template = self._catalog.gettext(text.template)
        else:
            count = text.parameters["count"]
            template = self._catalog.ngettext(text.template, text.plural, count)
        values = {name: self._value(value) for name, value in text.parameters.items()}
        return filled(template, values, self._catalog.gettext(", ").join)

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return self(value) if isinstance(value, Message) else value


def translated(text: str) -> str:
    """Return a message in the language that this process's environment sets."""
    return _translator(language_of(os.environ))(text)


@functools.cache
def _translator(language: str) -> Translator:
    return Translator(language)
