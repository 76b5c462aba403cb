"""``run SCRIPT``: run a script, watch it, and say at the end what held it up."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from jupyter_gpuperf.cli.answers import add_command


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``run`` to the commands of ``jupyter gpuperf``."""
    meaning = "run a script and find out what its training waits for"
    what = (
        "SCRIPT runs with this Python, and any other program, such as torchrun, as it is. Nothing in it is changed: its "
        "output and its exit code are its own, and jupyter gpuperf writes to standard error."
    )
    parser = add_command(
        commands,
        "run",
        _run,
        has_json=False,
        help=meaning,
        description=what,
        usage="%(prog)s [--save FILE] [--html FILE] [--quiet] [--] SCRIPT ... | -m MODULE ...",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the summary as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="save the summary as a page")
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")
    meaning = "run a module, as python -m does"
    parser.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE ...", help=meaning
    )
    meaning = "a script or a program, and its arguments"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="SCRIPT ...", help=meaning)


def _run(parsed: argparse.Namespace) -> int:
    import os

    from jupyter_gpuperf.config import SOURCE_VARIABLE
    from jupyter_gpuperf.runs.command import command_of
    from jupyter_gpuperf.runs.run_script import RunOptions, run_script

    is_module = parsed.module is not None
    command = command_of(parsed.module if is_module else parsed.words, is_module=is_module)
    options = RunOptions(
        save=parsed.save,
        html=parsed.html,
        is_quiet=parsed.quiet,
        source=parsed.source or os.environ.get(SOURCE_VARIABLE) or "auto",
    )
    return run_script(command, options)
