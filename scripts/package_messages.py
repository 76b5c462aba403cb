"""The package's messages, for translators and for the pages of the documentation.

As with gettext, a message is recognised by the function that it is passed to: ``Message("…")``, or one of
:data:`KEYWORDS`. A name stands for each text that its file assigns to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jupyter_gpuperf.messages.message import without_formats

PACKAGE = Path(__file__).parents[1] / "jupyter_gpuperf"
ERROR = (1, 2)
KEYWORDS = {
    "Message": (0,),
    **dict.fromkeys(
        ("GpuPerfError", "BadRequest", "NotFound", "Unavailable", "PackageMissing", "JobFailed"),
        ERROR,
    ),
    **dict.fromkeys(("fine", "suspect", "broken", "not_known"), (0,)),
    "warn": (0,),
    "progress": (1,),
}
"""Functions, and the positions of the arguments that are messages."""
NAMED = frozenset(
    {"message", "hint", "then", "summary", "cost", "advice", "refuted_by", "progress_message"}
)
"""Arguments that are messages in every function."""
PLAIN = NAMED | {"fix", "log_tail", "look"}
"""Arguments that fill no field of a message."""
Texts = str | tuple[str, str]


def package_messages() -> Iterator[tuple[Texts, str]]:
    """Yield each message as translators see it, one with a plural as a pair, and its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in MessageFile(path).messages():
            yield text, f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}"


def messages_under(path: Path, name: str) -> list[str]:
    """Return the messages that a file passes as ``name``, such as its advice; … stands for each value."""
    file = MessageFile(path)
    given = [node.value for node in ast.walk(file.tree) if _is_named(node, {name})]
    found = dict.fromkeys(text for each in given for text in file.texts_made(each))
    return [re.sub(r"\{\w+\}", "…", without_formats(text)) for text in found]


class MessageFile:
    """A file's tree, and the values and functions behind its names."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text())
        self._values: dict[tuple[ast.AST, str], list[ast.AST]] = {}
        self._functions: dict[str, ast.AST] = {}
        self._scopes: dict[ast.AST, ast.AST] = {}
        self._read(self.tree, self.tree)

    def _read(self, node: ast.AST, scope: ast.AST) -> None:
        self._scopes[node] = scope
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name, value in _assigned(targets[0], node.value):
                self._values.setdefault((scope, name), []).append(value)
        elif isinstance(node, ast.FunctionDef):
            self._functions[node.name] = scope = node
        for child in ast.iter_child_nodes(node):
            self._read(child, scope)

    def messages(self) -> Iterator[Texts]:
        """Yield each message as translators see it; one with a plural as a pair."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                name = _name(node.func)
                if name == "counted" and all(isinstance(a, ast.Constant) for a in node.args):
                    singular, plural = (without_formats(ast.literal_eval(a)) for a in node.args[:2])
                    yield singular, plural
                given = [node.args[i] for i in KEYWORDS.get(name, ()) if i < len(node.args)]
                given += [each.value for each in node.keywords if _is_named(each, NAMED)]
                texts = {text for each in given for text in self.texts(each)}
                if name == "Message" or any(each.arg not in PLAIN for each in node.keywords):
                    texts = {without_formats(text) for text in texts}
                yield from sorted(filter(_has_words, texts))

    def texts(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Yield each text that an expression can be; those in calls of ``Message`` are found by themselves."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for part, its_seen in self._parts(node, seen):
            yield from self.texts(part, its_seen)

    def texts_made(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Yield each text that an expression can be or make a message of, in the file's functions too."""
        yield from self.texts(node)
        for call in ast.walk(node):
            name = _name(call.func) if isinstance(call, ast.Call) else ""
            if name in ("Message", "counted"):
                yield from self.texts(call.args[0])
            elif name in self._functions and name not in seen:
                for each in ast.walk(self._functions[name]):
                    if isinstance(each, ast.Return) and each.value is not None:
                        yield from self.texts_made(each.value, seen | {name})
        for part, its_seen in self._parts(node, seen):
            yield from self.texts_made(part, its_seen)

    def _parts(
        self, node: ast.AST, seen: frozenset[str]
    ) -> Iterator[tuple[ast.AST, frozenset[str]]]:
        match node:
            case ast.IfExp(body=one, orelse=other):
                yield from ((one, seen), (other, seen))
            case ast.Dict(values=values):
                yield from ((value, seen) for value in values)
            case ast.Subscript(value=table):
                yield table, seen
            case ast.Name(id=name) if name not in seen:
                local = self._values.get((self._scopes[node], name))
                values = local or self._values.get((self.tree, name), [])
                yield from ((value, seen | {name}) for value in values)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its)


def _has_words(text: str) -> bool:
    # A colon between two fields is another character in Chinese.
    return re.search(r"[A-Za-z]{2}|^: $", re.sub(r"\{\w*\}", "", text)) is not None


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", None) or getattr(function, "id", "")


def _is_named(node: ast.AST, names: frozenset[str] | set[str]) -> bool:
    return isinstance(node, ast.keyword) and node.arg in names
