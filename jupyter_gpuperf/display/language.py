"""The words of the panel, in the language that a shell or a notebook asks for.

The catalogue and the sentences' templates are those that the page uses; see ``labextension/src/view/translate.ts``.
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
    """Return the language that the environment asks for, such as ``zh_CN``; ``en`` where we have no other."""
    wished = next((value for name in VARIABLES if (value := environment.get(name))), "")
    # Every Chinese locale reads the one that we have more easily than English.
    language = "zh_CN" if wished.startswith("zh") else wished.split(".")[0]
    return language if _catalog_file(language).exists() else "en"


def words_here() -> Words:
    """Return the words for this process."""
    return Words(language_of(os.environ))


class Words:
    """What is said, in one language.

    Parameters
    ----------
    language
        As :func:`language_of` returns it.
    """

    def __init__(self, language: str = "en") -> None:
        self._catalog: Mapping[str, Any] = _catalog(language) if language != "en" else {}

    def __call__(self, text: str, depth: int = 0) -> str:
        """Return a sentence of the server's, with its figures; one that is not known comes back as it is."""
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
        """Return ``3 checks``, of ``%1 check`` and ``%1 checks``."""
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
    """Return the templates, those that say most first, each with what recognises it."""
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
