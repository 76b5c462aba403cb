"""``bench NAME``: run a benchmark or the suite, or show the history."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.cli.answers import DONE, FAILED, PROGRAM, add_command, print_line, print_result
from jupyter_gpuperf.errors import BadRequest

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks.declaration import Benchmark


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``bench`` to the commands of ``jupyter gpuperf``."""
    meaning = "run a benchmark, the suite, or show the history; without a name, list the benchmarks"
    # Without argparse's --help: each benchmark has its own help page.
    parser = add_command(commands, "bench", _bench, takes_rest=True, add_help=False, help=meaning)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--device")
    parser.add_argument("-h", "--help", action="store_true")


def _bench(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.benchmarks import find
    from jupyter_gpuperf.commands.manual import SHELL_OPTIONS, SHELL_USAGE, benchmark_page
    from jupyter_gpuperf.messages.translator import translated

    if parsed.name is None:
        if parsed.help:
            print_line(translated(SHELL_USAGE))
            return DONE
        if parsed.rest:
            hint = "See: jupyter gpuperf bench --help"
            raise BadRequest("usage", "The benchmark's name must come first.", hint)
        return _list_benchmarks(as_json=parsed.json)
    if parsed.name in ("history", "suite"):
        device = ["--device", parsed.device] if parsed.device and parsed.name == "suite" else []
        helping = ["--help"] if parsed.help else []
        words = [parsed.name, *device, *helping, *parsed.rest]
        return subcommand(words, f"{PROGRAM} bench", parsed)
    benchmark = find(parsed.name)
    if not parsed.help:
        return _run_benchmark(benchmark, parsed)
    print_line(benchmark_page(benchmark, SHELL_OPTIONS, program=f"{PROGRAM} bench"))
    return DONE


def _run_benchmark(benchmark: Benchmark, parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.running import run_benchmark
    from jupyter_gpuperf.commands.options import parser_of
    from jupyter_gpuperf.display.progress import terminal_view

    options = vars(parser_of(benchmark, f"{PROGRAM} bench").parse_args(parsed.rest))
    result = run_benchmark(benchmark.name, options, device=parsed.device, new_view=terminal_view)
    return print_result(result, parsed)


def _list_benchmarks(*, as_json: bool) -> int:
    from jupyter_gpuperf.benchmarks import all_benchmarks
    from jupyter_gpuperf.commands.manual import BenchmarkList
    from jupyter_gpuperf.jobs.catalog import list_benchmarks
    from jupyter_gpuperf.schemas import encode

    if as_json:
        print_line(encode(list_benchmarks()).decode())
    else:
        print_line(repr(BenchmarkList(all_benchmarks(), program=f"{PROGRAM} bench")))
    return DONE


def subcommand(words: Sequence[str], program: str, parsed: argparse.Namespace) -> int:
    """Run the subcommand that ``words`` begin with: ``history``, ``suite`` or ``compare``."""
    from jupyter_gpuperf.commands.subcommands import subcommand_of
    from jupyter_gpuperf.display.progress import terminal_view

    asked = subcommand_of(words, program)
    assert asked is not None  # the caller has checked the first word
    result = asked.run(terminal_view)
    if result is None:  # --help was printed
        return DONE
    print_result(result, parsed)
    return FAILED if getattr(result, "has_failed", False) else DONE
