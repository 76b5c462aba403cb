"""Exit codes and output, shared by all commands. This module imports nothing heavy."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.commands.translated_parser import TranslatedParser
from jupyter_gpuperf.messages.printable import printable

PROGRAM: Final = "jupyter gpuperf"
DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def print_line(text: str) -> None:
    """Print text to stdout, without what a terminal would obey: it may come from a file."""
    print(printable(text))  # noqa: T201


def print_result(answer: Any, parsed: argparse.Namespace) -> int:
    """Print a result as text or, with ``--json``, as JSON; return the exit code."""
    print_line(json.dumps(answer.to_dict()) if parsed.json else repr(answer))
    return DONE


def add_command(
    commands: Any,  # argparse keeps the type private
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    takes_rest: bool = False,
    has_json: bool = True,
    misused: int = MISUSED,
    **options: Any,
) -> argparse.ArgumentParser:
    """Add a command. Unknown words are refused or, if ``takes_rest``, left in ``parsed.rest``.

    Parameters
    ----------
    misused
        The exit code after a usage error.
    """
    parser: TranslatedParser = commands.add_parser(name, allow_abbrev=False, **options)
    parser.misused = misused
    parser.set_defaults(run=run, command=name, takes_rest=takes_rest, json=False, misused=misused)
    if has_json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
