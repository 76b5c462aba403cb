"""``jupyter gpuperf …``: the notebook's features in a shell. A new command is a file here and an entry in ``COMMANDS``.

A command's ``add`` declares its arguments and the function that runs it. Exit codes: 0 done, 1 failed, 2 misused (of
``compare``, 3), 130 interrupted. With ``--json``, the answer on stdout and the error on stderr are JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from jupyter_gpuperf.cli import bench, compare, demo, diagnose, doctor, record, run, stream
from jupyter_gpuperf.cli.answers import DONE, FAILED, INTERRUPTED, MISUSED, PROGRAM
from jupyter_gpuperf.commands.translated_parser import TranslatedParser, translate_argparse
from jupyter_gpuperf.errors import BadRequest, GpuPerfError

__all__ = ["COMMANDS", "DONE", "FAILED", "INTERRUPTED", "MISUSED", "main"]

COMMANDS: Final = (run, bench, compare, diagnose, doctor, record, stream, demo)
"""The commands, in the order of the help text."""

MISUSES: Final = (
    *("usage", "unknown_benchmark", "unknown_device", "unknown_kernel", "unknown_parameter"),
    *(
        "unknown_result",
        "unknown_source",
        "device_is_a_recording",
        "device_is_elsewhere",
        "parameter_out_of_range",
        "parameter_wrong_type",
    ),
    *(
        "file_exists",
        "file_not_found",
        "not_a_report",
        "not_a_recording",
        "not_a_run",
        "not_a_suite",
    ),
)
"""Codes of usage errors. Codes rather than classes, because an error received from a server has no class of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    translate_argparse()
    parser = main_parser()
    parsed, rest = parser.parse_known_args(arguments)
    if not hasattr(parsed, "run"):  # there is no command
        if rest:
            parser.parse_args(arguments)  # refuses them
        parser.print_help(sys.stderr)
        return MISUSED
    parsed.rest = rest
    try:
        if rest and not parsed.takes_rest:
            message, hint = "Unknown argument: {argument}.", "See: jupyter gpuperf {command} --help"
            raise BadRequest("usage", message, hint, argument=rest[0], command=parsed.command)
        code = int(parsed.run(parsed))
        if sys.stdout is not None:  # it was closed at the start
            sys.stdout.flush()  # here, where a closed pipe is expected
        return code
    except BrokenPipeError:
        # The reader, such as head, has enough. Python flushes again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except GpuPerfError as error:
        return _refuse(error, parsed)


def main_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, with all commands."""
    parser = TranslatedParser(
        prog=PROGRAM, description="GPU performance, measured.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


class _Version(argparse.Action):
    """Looks up the version only when requested, because reading package metadata takes a while."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from jupyter_gpuperf.version import package_version

        print(package_version())  # noqa: T201
        parser.exit()


def _refuse(error: GpuPerfError, parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.failures import BenchmarkError

    text = (
        json.dumps(error.to_dict()) if parsed.json else "\n".join(BenchmarkError.of(error).lines())
    )
    print(text, file=sys.stderr)  # noqa: T201
    if error.code == "cancelled":
        return INTERRUPTED
    return int(parsed.misused) if error.code in MISUSES else FAILED
