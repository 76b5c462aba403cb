"""What every command uses: exit codes, and how to answer. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.errors import BadRequest

PROGRAM: Final = "jupyter gpuperf"
DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def say(text: str) -> None:
    """Print an answer."""
    print(text)  # noqa: T201


def refuse_rest(rest: Sequence[str], command: str) -> None:
    """Refuse words that a command does not know.

    Raises
    ------
    BadRequest
        ``usage``.
    """
    if rest:
        raise BadRequest(
            "usage", f"{rest[0]} is not understood.", f"See {PROGRAM} {command} --help."
        )


def answers_in_json(parser: argparse.ArgumentParser) -> None:
    """Give a command ``--json``."""
    parser.add_argument("--json", action="store_true", help="answer in JSON")
