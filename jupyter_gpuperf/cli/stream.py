"""``stream``: write the GPUs' readings to standard output, for a server on another machine."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_gpuperf.cli.answers import add_command


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``stream`` to the commands of ``jupyter gpuperf``."""
    meaning = "write the GPUs' readings as lines, for a server elsewhere, until the input is closed"
    parser = add_command(commands, "stream", _stream, has_json=False, help=meaning)
    parser.add_argument("--interval-ms", type=int, default=1000, help="time between readings")
    parser.add_argument("--host", default="", help="the machine's name, if another one is wanted")
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")


def _stream(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.terminal_stream import stream_in_terminal

    return stream_in_terminal(parsed)
