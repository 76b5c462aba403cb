"""``record FILE``: record the GPUs' readings to a file."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_gpuperf.cli.answers import add_command


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``record`` to the commands of ``jupyter gpuperf``."""
    meaning = "record the GPUs' readings to FILE, until Ctrl-C"
    parser = add_command(commands, "record", _record, help=meaning)
    parser.add_argument("file", metavar="FILE", help="a new file, such as run.jsonl.gz")
    parser.add_argument("--seconds", type=float, help="stop after this long")
    parser.add_argument("--interval-ms", type=int, default=100, help="time between readings")
    parser.add_argument("--label", default="", help="a description of the work")
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")
    parser.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)


def _record(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.terminal_recording import record_in_terminal

    return record_in_terminal(parsed)
