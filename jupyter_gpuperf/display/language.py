"""Translate the panel's texts into the language of a shell or a notebook.

It uses the page's catalogue and sentence templates; see ``labextension/src/view/translate.ts``.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).parents[1]
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
DEEPEST: Final = 2


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language set in the environment, such as ``zh_CN``; ``en`` if there is no catalogue for it."""
    wished = next((value for name in VARIABLES if (value := environment.get(name))), "")
    # Readers of any Chinese locale are better served by our one catalogue than by English.
    language = "zh_CN" if wished.startswith("zh") else wished.split(".")[0]
    return language if _catalog_file(language).exists() else "en"


def words_here() -> Words:
    """Return the translations for this process's environment."""
    return Words(language_of(os.environ))


class Words:
    """Translates texts into one language.

    Parameters
    ----------
    language
        As :func:`language_of` returns it.
    """

    def __init__(self, language: str = "en") -> None:
        self._catalog: Mapping[str, Any] = _catalog(language) if language != "en" else {}

    def __call__(self, text: str, depth: int = 0) -> str:
        """Translate a sentence of the server and keep its numbers; return unknown sentences unchanged."""
        if not self._catalog or text == "":
            return text
        if text in self._catalog:
            return str(self._catalog[text][0])
        if depth > DEEPEST:
            return text
        for template, pattern in _patterns():
            found = pattern.fullmatch(text)
            if found and template in self._catalog:
                said = str(self._catalog[template][0])
                parts = {f"%{place[1:]}": part for place, part in found.groupdict().items()}
                pieces = re.split(r"(%\d+)", said)
                return "".join(
                    self(parts[piece], depth + 1) if piece in parts else piece for piece in pieces
                )
        return text

    def counted(self, singular: str, plural: str, number: int) -> str:
        """Return ``3 checks``, from ``%1 check`` and ``%1 checks``."""
        known = self._catalog.get(singular)
        text = known[0] if known else (singular if number == 1 else plural)
        return str(text).replace("%1", str(number))


def _catalog_file(language: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "jupyter_gpuperf.json"


@functools.cache
def _catalog(language: str) -> Mapping[str, Any]:
    return dict(json.loads(_catalog_file(language).read_text(encoding="utf-8")))


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return each template with its regular expression, in the order of the file: most specific first."""
    templates = json.loads((PACKAGE / "routes" / "sentences.json").read_text(encoding="utf-8"))
    return [
        (template, _pattern(template))
        for template in templates
        if re.search(r"[A-Za-z]{2}", template)
    ]


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"%(\d+)", template)
    source = [
        re.escape(piece) if at % 2 == 0 else f"(?P<p{piece}>.+?)" for at, piece in enumerate(pieces)
    ]
    return re.compile("".join(source), re.DOTALL)
