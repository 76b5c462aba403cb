"""What stands in a benchmark's place behind ``%gpubench`` and ``jupyter gpuperf bench``: history, suite, compare."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_gpuperf.client.suites import run_suite
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.comparison_view import Changes
from jupyter_gpuperf.display.history_view import LISTED, History, history
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.suites.rounds import BUDGET_SECONDS, ROUNDS
from jupyter_gpuperf.suites.suite_file import read_suite

SUBCOMMANDS: Final = ("history", "suite", "compare")
Answer = History | Changes | SuiteView


@dataclass(frozen=True)
class Asked:
    """A line that begins with one of the words, understood."""

    run: Callable[[Callable[[], View]], Answer]
    into: str | None = None


def subcommand_of(words: Sequence[str], program: str = "%gpubench") -> Asked | None:
    """Understand a line; ``None`` when it is about a benchmark.

    Raises
    ------
    BadRequest
        ``usage``.
    """
    if not words or words[0] not in SUBCOMMANDS:
        return None
    parser = OptionParser(prog=f"{program} {words[0]}", allow_abbrev=False)
    PARSERS[words[0]](parser)
    parser.add_argument("--into", help="bind the answer to this name")
    try:
        options = parser.parse_args(list(words[1:]))
    except SystemExit:  # --help was printed
        return Asked(run=lambda _view: History([]))
    if options.into is not None and not options.into.isidentifier():
        raise BadRequest(
            "usage",
            f"--into {options.into!r} is not a name.",
            "Give a name that a variable can have.",
        )
    run = RUNNERS[words[0]]
    return Asked(run=lambda new_view: run(options, new_view), into=options.into)


def add_history_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``history`` understands."""
    parser.add_argument("benchmark", nargs="?", help="of this benchmark alone")
    parser.add_argument("--limit", type=_count, default=LISTED, help="how many (default 20)")
    parser.add_argument(
        "--baseline",
        type=_count,
        default=0,
        metavar="NUMBER",
        help="hold later results like it against this one",
    )


def add_suite_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``suite`` understands."""
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the results here")
    parser.add_argument("--only", default="", metavar="NAMES", help="benchmarks, with commas")
    parser.add_argument("--rounds", type=_count, default=ROUNDS, help=f"at most (default {ROUNDS})")
    parser.add_argument(
        "--budget-minutes",
        type=float,
        default=BUDGET_SECONDS / 60,
        help=f"begin no round that would go beyond (default {BUDGET_SECONDS / 60:g})",
    )
    parser.add_argument("--device", help="UUID or index; the first where it is left out")
    parser.add_argument(
        "--local", action="store_true", help="run it from here, not from the server"
    )


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``compare`` understands."""
    parser.add_argument("before", type=Path, help="a file that suite --save wrote")
    parser.add_argument("after", type=Path, help="another one")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page, too")


def run_history(options: argparse.Namespace, _new_view: Callable[[], View]) -> History:
    """List what was kept."""
    return history(options.benchmark, options.limit, options.baseline)


def run_the_suite(options: argparse.Namespace, new_view: Callable[[], View]) -> SuiteView:
    """Run the suite."""
    return run_suite(
        new_view,
        only=options.only,
        rounds=options.rounds,
        budget_seconds=60 * options.budget_minutes,
        save=options.save,
        device=options.device,
        local=options.local,
    )


def run_compare(
    options: argparse.Namespace, _new_view: Callable[[], View] | None = None
) -> Changes:
    """Hold two files against each other."""
    changes = Changes(
        compare(read_suite(options.before), read_suite(options.after)),
        before=options.before.stem,
        after=options.after.stem,
    )
    if options.html is not None:
        try:
            options.html.write_text(changes.page(), encoding="utf-8")
        except OSError as error:
            raise BadRequest(
                "file_not_writable",
                f"{options.html} can't be written: {error}.",
                "Name another file.",
            ) from error
    return changes


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


PARSERS: Final = {
    "history": add_history_options,
    "suite": add_suite_options,
    "compare": add_compare_options,
}
RUNNERS: Final[dict[str, Callable[[argparse.Namespace, Callable[[], View]], Answer]]] = {
    "history": run_history,
    "suite": run_the_suite,
    "compare": run_compare,
}
