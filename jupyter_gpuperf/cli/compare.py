"""``compare BEFORE AFTER``: compare the suite results of two environments."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_gpuperf.cli.answers import PROGRAM, add_command
from jupyter_gpuperf.cli.bench import subcommand


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``compare`` to the commands of ``jupyter gpuperf``."""
    meaning = "compare the results of two environments"
    parser = add_command(commands, "compare", _compare, takes_rest=True, help=meaning)
    parser.add_argument("before", metavar="BEFORE", help="a file saved by bench suite --save")
    parser.add_argument("after", metavar="AFTER", help="another such file")
    parser.add_argument("--html", metavar="FILE", help="also write an HTML page")


def _compare(parsed: argparse.Namespace) -> int:
    page = ["--html", parsed.html] if parsed.html else []
    words = ["compare", parsed.before, parsed.after, *page, *parsed.rest]
    return subcommand(words, PROGRAM, parsed)
