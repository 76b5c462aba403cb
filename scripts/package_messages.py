"""The package's messages, for translators and for the pages of the documentation.

A message is written as ``Message("template", …)`` or ``Message.counted("singular", "plural", …)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract

from jupyter_gpuperf.messages.message import without_formats

PACKAGE = Path(__file__).parents[1] / "jupyter_gpuperf"
KEYWORDS = {"Message": None, "counted": (1, 2)}
"""Functions that make messages, and which of their arguments translators see (gettext's notation)."""


def package_messages() -> Iterator[tuple[str | tuple[str, str], str]]:
    """Yield each message as translators see it, one with a plural as a pair, and the file that it is in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        with path.open("rb") as file:
            for _, found, _, _ in extract("python", file, keywords=KEYWORDS):
                texts = (found,) if isinstance(found, str) else found
                bare = tuple(without_formats(text) for text in texts)
                place = f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}"
                yield bare[0] if len(bare) == 1 else (bare[0], bare[1]), place


def messages_under(path: Path, keyword: str) -> list[str]:
    """Return the messages that a file gives as ``keyword``, such as its advice; … stands for what is filled in.

    Names and functions of the file that the value refers to are followed.
    """
    tree = ast.parse(path.read_text())
    definitions = _definitions(tree)
    values = [node.value for node in ast.walk(tree) if _is_keyword(node, keyword)]
    found: dict[str, None] = {}
    seen: set[str] = set()
    while values:
        for node in ast.walk(values.pop(0)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Message":
                found[_with_dots(ast.literal_eval(node.args[0]))] = None
            elif isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                values += definitions.get(node.id, [])
    return list(found)


def _is_keyword(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.keyword) and node.arg == name


def _definitions(tree: ast.Module) -> dict[str, list[ast.AST]]:
    """Return the functions and the values of a file, by name."""
    definitions: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            definitions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            definitions.setdefault(node.targets[0].id, []).append(node.value)
    return definitions


def _with_dots(template: str) -> str:
    return re.sub(r"\{\w+\}", "…", without_formats(template))
