"""Strings that are declared and not passed to a translation call: metrics, benchmarks, checks, the settings' schema."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.checks import CHECKS, subject_of
from jupyter_gpuperf.cli import main_parser
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.commands.subcommands import SUBCOMMANDS
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.tuning.trial import ROLES

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "labextension" / "schema" / "plugin.json"
MEASURING = (
    *(ROOT / "jupyter_gpuperf" / "benchmarks").glob("*.py"),
    ROOT / "jupyter_gpuperf" / "measure" / "environment.py",
)
DIAGNOSING = tuple((ROOT / "jupyter_gpuperf" / "rules").glob("*.py"))
ARGPARSE = (
    *(
        "usage: ",
        "unrecognized arguments: %s",
        "expected one argument",
        "%(prog)s: error: %(message)s\n",
    ),
    *("the following arguments are required: %s", "argument %(argument_name)s: %(message)s"),
    *("invalid %(type)s value: %(value)r", "ignored explicit argument %r"),
    "invalid choice: %(value)r (choose from %(choices)s)",
)
"""What a misused command line prints."""
STRUCTURE = frozenset(
    {"unit", "figures", "samples", "environment", "limits", "warnings", "parameters", "benchmark"}
    | {"type", "ratio", "message", "result", "needs", "holds_off"}
)
"""Keys of a result's structure; all other keys name something in it."""


class Declared(NamedTuple):
    """A string, its context, and its origin."""

    msgid: str
    path: str
    context: str | None = None


def metric_strings() -> Iterator[Declared]:
    """Yield the strings of the metrics' catalogue."""
    for metric in METRICS:
        path = f"jupyter_gpuperf/metrics/{metric.family}.py"
        for text in (metric.label, metric.help, *metric.flags.values()):
            yield Declared(text, path)


def check_strings() -> Iterator[Declared]:
    """Yield the strings of the doctor's checks."""
    for check in CHECKS:
        path = f"jupyter_gpuperf/checks/{subject_of(check)}.py"
        for text in (check.label, check.why, check.expected):
            yield Declared(text, path)


def benchmark_strings() -> Iterator[Declared]:
    """Yield the strings of the benchmarks' forms."""
    for benchmark in BENCHMARKS:
        path = f"jupyter_gpuperf/benchmarks/{benchmark.name}.py"
        helps = (parameter.help for parameter in benchmark.parameters)
        for text in (benchmark.label, benchmark.help, *helps):
            yield Declared(text, path)


def benchmark_names() -> list[str]:
    """Return the names that users see as words: parameters, figures, the environment, and evidence."""
    names = {parameter.name for benchmark in BENCHMARKS for parameter in benchmark.parameters}
    for path in (*MEASURING, *DIAGNOSING):
        for node in ast.walk(ast.parse(path.read_text())):
            keys: list[ast.expr | None] = []
            if isinstance(node, ast.Dict):
                keys = list(node.keys)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                keys = [node.slice]
            for key in keys:
                if isinstance(key, ast.Constant) and re.fullmatch(r"[a-z][a-z_]+", str(key.value)):
                    names.add(str(key.value))
    names |= {f"{role}_batches_per_second" for role in ROLES}
    return sorted(names - STRUCTURE)


def shell_strings() -> Iterator[Declared]:
    """Yield the help of the command line and its subcommands, and argparse's own sentences."""
    parsers: list[argparse.ArgumentParser] = [main_parser()]
    for add_options, _ in SUBCOMMANDS.values():
        parsers.append(OptionParser(prog=""))
        add_options(parsers[-1])
    texts: list[str | None] = [*ARGPARSE]
    while parsers:
        parser = parsers.pop()
        texts += [parser.description, *(each.title for each in parser._action_groups)]
        for action in parser._actions:
            texts += [each.help for each in (action, *getattr(action, "_choices_actions", ()))]
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
    for text in dict.fromkeys(each for each in texts if each and each != argparse.SUPPRESS):
        yield Declared(text, "jupyter_gpuperf/cli")


def schema_strings() -> Iterator[Declared]:
    """Yield titles and descriptions, in the contexts in which JupyterLab's server looks them up."""
    schema = json.loads(SCHEMA.read_text())
    path = SCHEMA.relative_to(ROOT).as_posix()
    for key in ("title", "description"):
        yield Declared(schema[key], path, "schema")
    yield from _words_in({**schema, "title": None, "description": None}, path)


def _words_in(part: dict[str, Any], path: str) -> Iterator[Declared]:
    for key, value in part.items():
        if isinstance(value, dict) and key != "default":
            yield from _words_in(value, path)
        elif isinstance(value, str) and key in (
            "title",
            "description",
            "jupyter.lab.setting-icon-label",
        ):
            yield Declared(value, path, "settings")
