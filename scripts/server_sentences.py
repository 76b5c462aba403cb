"""Extract the sentences that the server shows to users from its source, with %1, %2 for the values in them.

The front end recognises a sentence by its template and translates it; the server itself knows no
languages. A sentence is found where it is made: in an error, a reason for having no devices, an
alert, a progress message or a warning.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "jupyter_gpuperf"
ELSEWHERE = frozenset(
    {
        *("magics", "commands", "client", "display", "cli", "tuning"),
        *("kernel_link", "kernel_jobs.py", "in_process.py"),
    }
)
"""Modules whose sentences the panel never shows."""

POSITIONAL = {
    "GpuPerfError": (1, 2),
    "BadRequest": (1, 2),
    "NotFound": (1, 2),
    "Unavailable": (1, 2),
    "JobFailed": (1, 2),
    "warn": (0,),
    "progress": (1,),
    "_progress": (2,),
    "say": (1,),
    "_say": (1,),
    "_out_of_memory": (0,),
    "fine": (0,),
    "suspect": (0,),
    "broken": (0,),
    "not_known": (0,),
}
"""Functions that take sentences, and the positions of these arguments."""
KEYWORDS = frozenset({"message", "hint", "summary", "advice", "refuted_by", "then", "words"})
ATTRIBUTES = frozenset({"progress_message"})
SAYING = frozenset(
    {
        *("doubt", "_doubt", "_of", "cost_of", "_advice", "_summary", "_cause", "words"),
        *(
            "_recommendation",
            "_change_of_memory",
            "_nothing_better",
            "_idle",
            "_little_product",
            "_odd",
            "_scaled",
        ),
    }
)
"""Functions that return a sentence, or a text that is inserted into one."""
LISTS = frozenset({"said", "warnings", "why_not_more", "next_steps"})
"""Names of lists of sentences."""
PART = "sentence"
"""An attribute that is inserted into other sentences: without capital and full stop."""
TABLES = frozenset({"XID_WORDS", "HTTP_HINTS", "HELD_BACK_BY", "REASONS", "FLOORS"})
"""Dictionaries of sentences, and of texts that are inserted into them."""
PREFIXED = "%1: %2"
"""The template of any sentence with a name in front: `bf16: It did not converge …`."""
PLACE = "\0"


def server_sentences() -> dict[str, str]:
    """Return each template, and the file that contains it."""
    found = {PREFIXED: PACKAGE.name}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        if ELSEWHERE.isdisjoint(place.parts):
            module = _Module(ast.parse(path.read_text()))
            for text in module.sentences():
                found.setdefault(text, f"{PACKAGE.name}/{place.as_posix()}")
    return found


def said_under(path: Path, keyword: str) -> list[str]:
    """Return the texts that a file passes as ``keyword``, such as its advice; inserted values become …."""
    module = _Module(ast.parse(path.read_text()))
    texts = [text for expression in module.under(keyword) for text in module.texts(expression)]
    return list(dict.fromkeys(text.replace(PLACE, "…") for text in texts))


class _Module:
    """One file: its tree, and the names that it assigns to texts."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        self._values.setdefault(target.id, []).append(node.value)

    def sentences(self) -> Iterator[str]:
        """Yield the sentences of this file."""
        for expression in self._said():
            for text in self.texts(expression):
                if re.search(r"[A-Za-z]{2}", text.replace(PLACE, "")):
                    yield _numbered(text)

    def under(self, keyword: str) -> Iterator[ast.expr]:
        """Yield the texts passed as ``keyword``, or returned by the function that is called for it."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.keyword) and node.arg == keyword:
                yield node.value
            elif isinstance(node, ast.FunctionDef) and node.name == f"_{keyword}":
                yield from (
                    each.value
                    for each in ast.walk(node)
                    if isinstance(each, ast.Return) and each.value is not None
                )

    def _said(self) -> Iterator[ast.expr]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                yield from _arguments(node)
            elif isinstance(node, ast.Dict):
                yield from _entries_said(node)
            elif isinstance(node, ast.FunctionDef) and node.name in SAYING:
                yield from (
                    each.value
                    for each in ast.walk(node)
                    if isinstance(each, ast.Return) and each.value is not None
                )
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                yield from self._assigned(target, node.value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
        name = getattr(target, "id", None) or getattr(target, "attr", None)
        if name in ATTRIBUTES:
            yield value
        elif name in TABLES and isinstance(value, ast.Dict):
            yield from value.values
        elif name == PART and isinstance(target, ast.Attribute):
            for text in self.texts(value):
                yield ast.Constant(text[:1].lower() + text[1:].rstrip("."))

    def texts(self, node: ast.expr) -> list[str]:
        """Return each text that an expression can evaluate to."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=values):
                return _joined([self._part(each) for each in values])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([self.texts(left), self.texts(right)])
            case ast.IfExp(body=body, orelse=other):
                return self.texts(body) + self.texts(other)
            case ast.Lambda(body=body):
                return self.texts(body)
            case ast.Call(func=ast.Attribute(value=value, attr="format")):
                return [re.sub(r"\{[^}]*\}", PLACE, text) for text in self.texts(value)]
            case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name):
                values = self._values.get(name, [])
                tables = [each for value in values for each in _entries(value)]
                return [text for each in tables for text in self.texts(each)]
        return []

    def _part(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.FormattedValue(value=ast.Name(id="how" as name)):
                # Part of a sentence: only the whole sentence can be translated.
                return [text for each in self._values.get(name, []) for text in self.texts(each)]
        return [PLACE]


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get")) if table in TABLES:
            yield from call.args[1:]  # the default for keys that the table lacks
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    for index in POSITIONAL.get(name or "", ()):
        if index < len(call.args):
            yield call.args[index]
    if name == "append" and isinstance(call.func, ast.Attribute):
        listed = call.func.value
        if LISTS & {getattr(listed, "id", None), getattr(listed, "attr", None)}:
            yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS)


def _entries_said(content: ast.Dict) -> Iterator[ast.expr]:
    """Yield the values of a dictionary's keys that users read: an error as plain data."""
    for key, value in zip(content.keys, content.values, strict=True):
        if isinstance(key, ast.Constant) and key.value in KEYWORDS:
            yield value


def _entries(value: ast.expr) -> list[ast.expr]:
    return list(value.values) if isinstance(value, ast.Dict) else [value]


def _joined(parts: list[list[str]]) -> list[str]:
    texts = [""]
    for part in parts:
        texts = [text + each for text in texts for each in part]
    return texts


def _numbered(text: str) -> str:
    pieces = text.split(PLACE)
    numbered = (f"%{number}{piece}" for number, piece in enumerate(pieces[1:], 1))
    return pieces[0] + "".join(numbered)
