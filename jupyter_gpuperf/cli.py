"""``jupyter gpuperf …``: what the notebook has, in a shell.

A command is two functions: one adds its arguments, one runs it. Exit codes: 0 done, 1 failed,
2 misused, 130 interrupted. With ``--json`` the answer, or the refusal on stderr, is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.errors import BadRequest, GpuPerfError

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks.declaration import Benchmark

PROGRAM: Final = "jupyter gpuperf"
DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
MISUSES: Final = frozenset(
    {
        "usage",
        "unknown_benchmark",
        "unknown_device",
        "unknown_parameter",
        "parameter_out_of_range",
        "parameter_wrong_type",
        "file_exists",
        "file_not_found",
        "not_a_suite",
        "unknown_result",
        "unknown_source",
    }
)
"""Refusals of what was typed; told by code, because a refusal that crossed a wire has no class."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    known, rest = _parser().parse_known_args(arguments)
    try:
        return int(known.run(known, rest))
    except KeyboardInterrupt:
        return INTERRUPTED
    except GpuPerfError as error:
        return _refuse(error, as_json=known.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="GPU performance, measured.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", required=True)
    _add_bench(commands)
    _add_compare(commands)
    _add_record(commands)
    _add_demo(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: reading package metadata takes a while."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from jupyter_gpuperf import __version__

        print(__version__)  # noqa: T201
        parser.exit()


def _add_bench(commands: Any) -> None:  # noqa: ANN401  (argparse keeps the type private)
    parser = commands.add_parser(
        "bench",
        help="run a benchmark, the suite, or show the history; without a name, list the benchmarks",
        add_help=False,  # a benchmark has a page of its own
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device")
    parser.add_argument("-h", "--help", action="store_true")
    parser.set_defaults(run=_bench)


def _add_compare(commands: Any) -> None:  # noqa: ANN401
    parser = commands.add_parser(
        "compare",
        help="hold the results of two environments against each other",
        allow_abbrev=False,
    )
    parser.add_argument("before", metavar="BEFORE", help="a file that bench suite --save wrote")
    parser.add_argument("after", metavar="AFTER", help="another one")
    parser.add_argument("--html", metavar="FILE", help="write a page, too")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_compare)


def _compare(known: argparse.Namespace, rest: Sequence[str]) -> int:
    page = ["--html", known.html] if known.html else []
    return _subcommand(["compare", known.before, known.after, *page, *rest], PROGRAM, known)


def _subcommand(words: Sequence[str], program: str, known: argparse.Namespace) -> int:
    from jupyter_gpuperf.magics.progress import terminal_view
    from jupyter_gpuperf.magics.subcommands import subcommand_of

    asked = subcommand_of(words, program)
    assert asked is not None  # its name was looked at
    answer = asked.run(terminal_view)
    _print(json.dumps(answer.to_dict()) if known.json else repr(answer))
    return DONE


def _add_record(commands: Any) -> None:  # noqa: ANN401
    parser = commands.add_parser(
        "record",
        help="record what the GPUs do into FILE, until Ctrl-C",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="a new file, such as run.jsonl.gz")
    parser.add_argument("--seconds", type=float, help="stop by itself after this long")
    parser.add_argument("--interval-ms", type=int, default=100, help="time between readings")
    parser.add_argument("--label", default="", help="what runs")
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=_record)


def _record(known: argparse.Namespace, rest: Sequence[str]) -> int:
    if rest:
        raise BadRequest("usage", f"{rest[0]} is not understood.", f"See {PROGRAM} record --help.")
    from jupyter_gpuperf.magics.recording import record_in_terminal

    return record_in_terminal(known)


def _add_demo(commands: Any) -> None:  # noqa: ANN401
    parser = commands.add_parser(
        "demo",
        help="open JupyterLab with a notebook that measures; on a recorded H100 where there is no GPU",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="for the notebook's copy")
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")
    parser.add_argument("--port", type=int, help="JupyterLab's port")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.set_defaults(run=_demo, json=False)


def _demo(known: argparse.Namespace, rest: Sequence[str]) -> int:
    if rest:
        raise BadRequest("usage", f"{rest[0]} is not understood.", f"See {PROGRAM} demo --help.")
    from pathlib import Path

    from jupyter_gpuperf.demo import FOLDER, demo

    return demo(
        Path(known.folder or FOLDER),
        source=known.source,
        port=known.port,
        browser=not known.no_browser,
    )


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
        return _subcommand([known.name, *device, *helping, *rest], f"{PROGRAM} bench", known)
    benchmark = find(known.name)
    return _describe(benchmark) if known.help else _run_benchmark(benchmark, known, rest)


def _run_benchmark(benchmark: Benchmark, known: argparse.Namespace, rest: Sequence[str]) -> int:
    from jupyter_gpuperf.magics.options import parser_of
    from jupyter_gpuperf.magics.progress import terminal_view
    from jupyter_gpuperf.magics.running import run_benchmark

    options = vars(parser_of(benchmark, f"{PROGRAM} bench").parse_args(rest))
    result = run_benchmark(
        benchmark.name,
        options,
        device=known.device,
        local=False,
        new_view=terminal_view,
        display_result=False,
    )
    _print(json.dumps(result.to_dict()) if known.json else repr(result))
    return DONE


def _describe(benchmark: Benchmark) -> int:
    from jupyter_gpuperf.magics.manual import benchmark_manual

    _print(benchmark_manual(benchmark, program=f"{PROGRAM} bench"))
    return DONE


def _list_benchmarks(benchmarks: Sequence[Benchmark], *, as_json: bool) -> int:
    from jupyter_gpuperf.jobs.catalog import info_of
    from jupyter_gpuperf.magics.manual import Listing
    from jupyter_gpuperf.schemas import Benchmarks, encode

    if as_json:
        _print(encode(Benchmarks(benchmarks=[info_of(each) for each in benchmarks])).decode())
    else:
        _print(repr(Listing(benchmarks, program=f"{PROGRAM} bench")))
    return DONE


def _refuse(error: GpuPerfError, *, as_json: bool) -> int:
    if as_json:
        text = json.dumps(error.to_dict())
    else:
        # A benchmark's error knows its log's end, and says so itself.
        text = "\n".join(filter(None, [str(error), "" if error.hint in str(error) else error.hint]))
    print(text, file=sys.stderr)  # noqa: T201
    if error.code == "cancelled":
        return INTERRUPTED
    return MISUSED if error.code in MISUSES else FAILED


def _print(text: str) -> None:
    print(text)  # noqa: T201
