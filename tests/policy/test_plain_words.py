"""No page, docstring or comment uses a phrase that the project's Vale style replaces."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "docs" / "styles" / "Gpuperf" / "Terms.yml"
SWAP: dict[str, str] = yaml.safe_load(STYLE.read_text(encoding="utf-8"))["swap"]

CODE_SPAN = re.compile(r"(`+)[^`]+\1")


def _pattern(phrase: str) -> re.Pattern[str]:
    """Return a phrase's pattern, which also matches across a line break, as in Vale."""
    across_lines = phrase.replace(" ", r"\s+")
    return re.compile(rf"\b(?:{across_lines})\b", re.IGNORECASE)


def _tracked(pattern: str) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _without_code(text: str) -> str:
    """Return Markdown with its code blocks and code spans blanked; lines keep their numbers."""
    lines, is_fenced, is_indented, before = [], False, False, ""
    for line in text.splitlines():
        is_fence = line.lstrip().startswith("```")
        is_fenced ^= is_fence
        is_indented = line.startswith("    ") and (is_indented or not before.strip())
        lines.append("" if is_fence or is_fenced or is_indented else line)
        before = line
    return _without_spans("\n".join(lines))


def _without_spans(text: str) -> str:
    return CODE_SPAN.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring and each block of comments, with its first line's number."""
    for node in ast.walk(ast.parse(source)):
        for each in body if isinstance(body := getattr(node, "body", None), list) else ():
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                yield each.lineno, str(each.value.value)
    block: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1 and block:
                yield last - len(block) + 1, "\n".join(block)
                block = []
            block.append(token.string.lstrip("#"))
            last = token.start[0]
    yield last - len(block) + 1, "\n".join(block)


def _found(phrases: list[str], text: str, first_line: int = 1) -> Iterator[tuple[int, str]]:
    for phrase in phrases:
        for found in _pattern(phrase).finditer(text):
            line = first_line + text.count("\n", 0, found.start())
            yield line, f"“{' '.join(found[0].split())}”: {SWAP[phrase]}"


@pytest.mark.parametrize("name", _tracked("*.md"))
def test_a_page_uses_the_terms(name):
    text = _without_code((ROOT / name).read_text(encoding="utf-8"))
    assert [f"{name}:{line} {what}" for line, what in _found(list(SWAP), text)] == []


def test_docstrings_and_comments_use_the_terms():
    wrong = [
        f"{name}:{line} {what}"
        for name in _tracked("jupyter_gpuperf/*.py")
        for first_line, text in _prose((ROOT / name).read_text(encoding="utf-8"))
        for line, what in _found(list(SWAP), _without_spans(text), first_line)
    ]
    assert wrong == []
