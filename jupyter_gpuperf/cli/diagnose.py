"""``diagnose FILE``: find out why work was slow."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from jupyter_gpuperf.cli.answers import add_command, print_result


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``diagnose`` to the commands of ``jupyter gpuperf``."""
    meaning = "find out why work is slow, from a recording or from this machine's GPUs"
    parser = add_command(commands, "diagnose", _diagnose, help=meaning)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", metavar="FILE", nargs="?", help="a recording or a labelled trace")
    meaning = "observe this machine's GPUs for this long"
    what.add_argument("--live", metavar="SECONDS", type=float, help=meaning)
    parser.add_argument("--source", help="with --live, as c.GpuPerf.source")


def _diagnose(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.diagnosis import diagnose_in_process, diagnosis_of
    from jupyter_gpuperf.config import SOURCE_VARIABLE

    if parsed.live is None:
        return print_result(diagnosis_of(Path(parsed.file)), parsed)
    source = parsed.source or os.environ.get(SOURCE_VARIABLE) or "auto"
    return print_result(diagnose_in_process(parsed.live, source), parsed)
