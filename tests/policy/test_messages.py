"""Each field of a message's template has a value: otherwise an error would raise another one, when it is too late."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from package_messages import KEYWORDS, NAMED, PACKAGE, PLAIN, MessageFile

from jupyter_gpuperf.messages.message import without_formats

MADE_HERE = frozenset({*KEYWORDS, "counted"} - {"warn", "progress"})
"""Functions that fill templates themselves; the others take finished messages."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            if name in MADE_HERE:
                yield name, node


def fields_of(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", without_formats(text).replace("{{", "").replace("}}", "")))


def wrong_in(file: MessageFile) -> Iterator[str]:
    for name, call in calls(file.tree):
        given = {each.arg for each in call.keywords}
        is_message = name in ("Message", "counted")
        values = given if is_message else given - PLAIN
        # With **values they are unknown; an error without values takes its text as it is.
        if None not in given and (is_message or values):
            yield from (
                f"line {call.lineno}: {what}" for what in wrong_with(file, name, call, values)
            )


def wrong_with(file: MessageFile, name: str, call: ast.Call, values: set[str]) -> Iterator[str]:
    places = (0, 1) if name == "counted" else KEYWORDS[name]
    templates = [call.args[place] for place in places if place < len(call.args)]
    templates += [each.value for each in call.keywords if each.arg in NAMED]
    if any(isinstance(each, ast.JoinedStr) for each in templates):
        yield "an f-string is no template"
        return
    candidates = [list(map(fields_of, file.texts(each))) for each in templates]
    for template, fields in zip(templates, candidates, strict=True):
        missing = [each - values for each in fields if not each <= values]
        # A name may have been assigned before, for another call.
        if missing and (not isinstance(template, ast.Name) or len(missing) == len(fields)):
            yield f"{missing[0]} has no value"
    if all(candidates):
        used = set().union(*itertools.chain.from_iterable(candidates))
        yield from (f"{value}= is in no template" for value in values - used - {"count"})


def test_the_fields_of_templates_and_the_values_given_are_the_same():
    assert [
        f"{path.relative_to(ROOT)}, {what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for what in wrong_in(MessageFile(path))
    ] == []


def test_a_field_without_a_value_is_found(tmp_path):
    path = tmp_path / "made.py"
    path.write_text(
        'Message("{a} {b:.1f}", a=1)\nNotFound("x", "No {c}.", "See {d}.", c=1)\n'
        'fine("{e}", e=1, f=2)\nfine("OK")\nfine("{e}", **values)\nMessage(f"{g}", g=1)\n'
    )
    assert list(wrong_in(MessageFile(path))) == [
        "line 1: {'b'} has no value",
        "line 2: {'d'} has no value",
        "line 3: f= is in no template",
        "line 6: an f-string is no template",
    ]
