"""Messages in the language that a shell or a notebook asks for, from the gettext catalogue."""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.messages.message import Message

DOMAIN: Final = "jupyter_gpuperf"
LOCALES: Final = Path(__file__).parents[1] / "locale"
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def language_of(environment: Mapping[str, str]) -> str:
    """Return the first language that the environment asks for, such as ``zh_CN``; ``en`` if it names none."""
    wished = next((value for name in VARIABLES if (value := environment.get(name))), "en")
    # Readers of any Chinese read the one that we have more easily than English.
    return "zh_CN" if wished.startswith("zh") else wished.split(".")[0]


class Translator:
    """Puts messages into one language; into English where the catalogue lacks that language or message.

    Parameters
    ----------
    language
        As :func:`language_of` returns it; by default that of this process's environment.
    """

    def __init__(self, language: str | None = None) -> None:
        languages = [language or language_of(os.environ)]
        self._catalog = gettext.translation(DOMAIN, LOCALES, languages, fallback=True)

    def __call__(self, message: str | Mapping[str, Any]) -> str:
        """Return a message, or what its ``to_dict()`` returned, in this language."""
        if isinstance(message, str) and not isinstance(message, Message):
            return self._catalog.gettext(message) if message else ""
        data = message.to_dict() if isinstance(message, Message) else message
        template, plural, parameters = data["template"], data.get("plural"), data["parameters"]
        translated = (
            self._catalog.gettext(template)
            if plural is None
            else self._catalog.ngettext(template, plural, parameters["count"])
        )
        return translated.format_map(
            {
                name: self(value) if isinstance(value, Mapping) else value
                for name, value in parameters.items()
            }
        )
