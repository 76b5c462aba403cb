"""``diagnose FILE``: why it is slow."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_gpuperf.cli.answers import DONE, answers_in_json, refuse_rest, say


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add the command."""
    parser = commands.add_parser(
        "diagnose",
        help="why is it slow: look at a recording, or at this machine's GPUs for a while",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", metavar="FILE", nargs="?", help="a recording, or a labelled trace")
    what.add_argument("--live", metavar="SECONDS", type=float, help="look at this machine's GPUs")
    parser.add_argument("--source", help="with --live, as c.GpuPerf.source")
    answers_in_json(parser)
    parser.set_defaults(run=_diagnose)


def _diagnose(known: argparse.Namespace, rest: Sequence[str]) -> int:
    refuse_rest(rest, "diagnose")
    from jupyter_gpuperf.client.diagnosis import diagnosis_here, diagnosis_of
    from jupyter_gpuperf.config import SOURCE_VARIABLE

    if known.live is None:
        answer = diagnosis_of(Path(known.file))
    else:
        source = known.source or os.environ.get(SOURCE_VARIABLE) or "auto"
        answer = diagnosis_here(known.live, source)
    say(json.dumps(answer.to_dict()) if known.json else repr(answer))
    return DONE
