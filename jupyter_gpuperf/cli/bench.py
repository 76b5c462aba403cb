"""``bench NAME``: a benchmark, the suite, the history."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.cli.answers import DONE, PROGRAM, answers_in_json, say
from jupyter_gpuperf.errors import BadRequest

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks.declaration import Benchmark


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="run a benchmark, the suite, or show the history; without a name, list the benchmarks",
        add_help=False,  # a benchmark has a page of its own
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?")
    answers_in_json(parser)
    parser.add_argument("--device")
    parser.add_argument("-h", "--help", action="store_true")
    parser.set_defaults(run=_bench)


def _bench(known: argparse.Namespace, rest: Sequence[str]) -> int:
    from jupyter_gpuperf.benchmarks import all_benchmarks, find

    if known.name is None:
        if rest:
            raise BadRequest(
                "usage", "The benchmark's name comes first.", f"See {PROGRAM} bench --help."
            )
        return _list_benchmarks(all_benchmarks(), as_json=known.json)
    if known.name in ("history", "suite"):
        device = ["--device", known.device] if known.device and known.name == "suite" else []
        helping = ["--help"] if known.help else []
        return subcommand([known.name, *device, *helping, *rest], f"{PROGRAM} bench", known)
    benchmark = find(known.name)
    return _describe(benchmark) if known.help else _run_benchmark(benchmark, known, rest)


def _run_benchmark(benchmark: Benchmark, known: argparse.Namespace, rest: Sequence[str]) -> int:
    from jupyter_gpuperf.client.running import run_benchmark
    from jupyter_gpuperf.commands.options import parser_of
    from jupyter_gpuperf.display.progress import terminal_view

    options = vars(parser_of(benchmark, f"{PROGRAM} bench").parse_args(rest))
    result = run_benchmark(
        benchmark.name,
        options,
        device=known.device,
        local=False,
        new_view=terminal_view,
        display_result=False,
    )
    say(json.dumps(result.to_dict()) if known.json else repr(result))
    return DONE


def _describe(benchmark: Benchmark) -> int:
    from jupyter_gpuperf.commands.manual import benchmark_manual

    say(benchmark_manual(benchmark, program=f"{PROGRAM} bench"))
    return DONE


def _list_benchmarks(benchmarks: Sequence[Benchmark], *, as_json: bool) -> int:
    from jupyter_gpuperf.commands.manual import Listing
    from jupyter_gpuperf.jobs.catalog import info_of
    from jupyter_gpuperf.schemas import Benchmarks, encode

    if as_json:
        say(encode(Benchmarks(benchmarks=[info_of(each) for each in benchmarks])).decode())
    else:
        say(repr(Listing(benchmarks, program=f"{PROGRAM} bench")))
    return DONE


def subcommand(words: Sequence[str], program: str, known: argparse.Namespace) -> int:
    """Run one of the words that may stand in a benchmark's place."""
    from jupyter_gpuperf.commands.subcommands import subcommand_of
    from jupyter_gpuperf.display.progress import terminal_view

    asked = subcommand_of(words, program)
    assert asked is not None  # its name was looked at
    answer = asked.run(terminal_view)
    say(json.dumps(answer.to_dict()) if known.json else repr(answer))
    return DONE
