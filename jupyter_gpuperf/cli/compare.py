"""``compare BEFORE AFTER``: compare the suite results of two environments, for a person or for a CI job."""

from __future__ import annotations

import argparse
from typing import Any, Final

from jupyter_gpuperf.cli.answers import DONE, PROGRAM, add_command, print_line, print_result
from jupyter_gpuperf.errors import BadRequest

STATUSES: Final = {"passed": DONE, "worse": 1, "unknown": 2}
MISUSED: Final = 3
"""Of this command: 2 is inconclusive."""


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``compare`` to the commands of ``jupyter gpuperf``."""
    meaning = "compare the results of two environments or runs"
    codes = (
        "With --fail-if-slower, the exit code is 1 if something became slower by more than PERCENT beyond its "
        "interval, and 2 if that is inconclusive: other chips, clocks or batch sizes, or intervals that are too wide."
    )
    parser = add_command(
        commands, "compare", _compare, takes_rest=True, misused=MISUSED, help=meaning, epilog=codes
    )
    parser.add_argument(
        "before",
        metavar="BEFORE",
        help="a file that --save wrote: a suite, a run or a result",
    )
    parser.add_argument("after", metavar="AFTER", help="another such file")
    parser.add_argument("--html", metavar="FILE", help="also write an HTML page")
    parser.add_argument(
        "--fail-if-slower",
        metavar="PERCENT",
        help="decide whether anything became slower by more than this",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def _compare(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.commands.subcommands import subcommand_of
    from jupyter_gpuperf.display.comparison_view import ComparisonView
    from jupyter_gpuperf.display.progress import terminal_view

    if parsed.json and parsed.markdown:
        message, hint = "Both --json and --markdown were given.", "Choose one."
        raise BadRequest("usage", message, hint)
    limit = parsed.fail_if_slower
    options = ["--html", parsed.html] if parsed.html else []
    options += ["--fail-if-slower", limit] if limit is not None else []
    asked = subcommand_of(["compare", parsed.before, parsed.after, *options, *parsed.rest], PROGRAM)
    assert asked is not None
    result = asked.run(terminal_view)
    if not isinstance(result, ComparisonView):  # --help was printed
        return DONE
    if parsed.markdown:
        print_line(result.to_markdown())
    else:
        print_result(result, parsed)
    return DONE if result.gate is None else STATUSES[result.gate.status]
