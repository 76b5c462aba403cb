"""The subcommands ``history``, ``suite`` and ``compare``, typed where a benchmark's name goes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.client.suites import run_suite
from jupyter_gpuperf.commands.options import OptionParser, variable_name
from jupyter_gpuperf.display.comparison_view import ComparisonView
from jupyter_gpuperf.display.history_view import LIMIT, HistoryView, history
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.errors import require_new_file
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.results.files import coded_write_errors
from jupyter_gpuperf.results.gate import gate
from jupyter_gpuperf.results.result_file import reader_of
from jupyter_gpuperf.suites.rounds import BUDGET_SECONDS, ROUNDS
from jupyter_gpuperf.suites.suite_file import read_suite

SubcommandResult = HistoryView | ComparisonView | SuiteView


class ParsedSubcommand(NamedTuple):
    """A parsed subcommand, ready to run; ``into`` names the variable for its result, ``None`` after ``--help``."""

    run: Callable[[Callable[[], ProgressView]], SubcommandResult | None]
    into: str | None = None


def subcommand_of(words: Sequence[str], program: str = "%gpubench") -> ParsedSubcommand | None:
    """Parse the words of a line; return ``None`` if the first one is not a subcommand.

    Raises
    ------
    BadRequest
        ``usage``: the words can't be parsed.
    """
    if not words or words[0] not in SUBCOMMANDS:
        return None
    parser = OptionParser(prog=f"{program} {words[0]}", allow_abbrev=False)
    add_options, run = SUBCOMMANDS[words[0]]
    add_options(parser)
    if program.startswith("%"):  # a shell has no variable for it
        parser.add_argument("--into", type=variable_name, help="assign the result to this variable")
    try:
        options = vars(parser.parse_args(list(words[1:])))
    except SystemExit:  # --help was printed
        return ParsedSubcommand(run=lambda _view: None)
    into = options.pop("into", None)
    return ParsedSubcommand(run=lambda new_view: run(new_view=new_view, **options), into=into)


def add_history_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``history`` to its parser."""
    parser.add_argument("benchmark", nargs="?", help="list only results of this one")
    parser.add_argument("--limit", type=_count, default=LIMIT, help="list this many (default 20)")
    meaning = "compare later runs with this one"
    parser.add_argument("--baseline", type=_count, default=0, metavar="NUMBER", help=meaning)


def add_suite_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``suite`` to its parser."""
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the results here")
    parser.add_argument("--only", default="", metavar="NAMES", help="comma-separated benchmarks")
    meaning = f"the maximum number of rounds (default {ROUNDS})"
    parser.add_argument("--rounds", type=_count, default=ROUNDS, help=meaning)
    minutes = BUDGET_SECONDS / 60
    meaning = f"start no round that would exceed this time (default {minutes:g})"
    parser.add_argument("--budget-minutes", type=float, default=minutes, help=meaning)
    parser.add_argument("--device", help="UUID or index; by default the first")
    meaning = "start the worker from this process, not from the server"
    parser.add_argument("--local", action="store_true", help=meaning)


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``compare`` to its parser."""
    parser.add_argument(
        "before", type=Path, help="a file that --save wrote: a suite, a run or a result"
    )
    parser.add_argument("after", type=Path, help="another such file")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page")
    parser.add_argument(
        "--fail-if-slower",
        type=_percent,
        metavar="PERCENT",
        help="decide whether anything became slower by more than this",
    )


def run_history(*, new_view: Callable[[], ProgressView], **options: Any) -> HistoryView:
    """List the stored results."""
    return history(**options)


def run_compare(
    *,
    new_view: Callable[[], ProgressView],
    before: Path,
    after: Path,
    html: Path | None,
    fail_if_slower: float | None,
) -> ComparisonView:
    """Compare the files of two suites or two single runs; with a limit, decide whether anything became slower by more."""
    if html is not None:
        require_new_file(html)
    readers = [reader_of(path) for path in (before, after)]
    in_rounds = None in readers
    old, new = (
        read_suite(path) if in_rounds or read is None else read(path)
        for path, read in zip((before, after), readers, strict=True)
    )
    changes = compare(old, new, in_rounds=in_rounds)
    decided = None
    if fail_if_slower is not None:
        decided = gate(changes, old, new, fail_if_slower, in_rounds=in_rounds)
    view = ComparisonView(changes, before.stem, after.stem, gate=decided, in_rounds=in_rounds)
    if html is not None:
        with coded_write_errors(html):
            html.write_text(view.page(), encoding="utf-8")
    return view


def _percent(text: str) -> float:
    number = float(text.strip().removesuffix("%"))
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no percentage")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


AddOptions = Callable[[argparse.ArgumentParser], None]
SUBCOMMANDS: Final[dict[str, tuple[AddOptions, Callable[..., SubcommandResult]]]] = {
    "history": (add_history_options, run_history),
    "suite": (add_suite_options, run_suite),
    "compare": (add_compare_options, run_compare),
}
"""Subcommand → the function that adds its options, and the one that runs it."""
