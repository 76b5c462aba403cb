"""``doctor``: everything that makes a GPU notebook slow or broken, looked at."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from jupyter_gpuperf.cli.answers import DONE, FAILED, answers_in_json, refuse_rest, say


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add the command."""
    from jupyter_gpuperf.commands.doctor_options import add_options

    parser = commands.add_parser(
        "doctor",
        help="look at everything that makes a GPU notebook slow or broken, and say what to type",
        description="Exit code 1 when something does not work.",
        allow_abbrev=False,
    )
    add_options(parser)
    answers_in_json(parser)
    parser.set_defaults(run=_doctor)


def _doctor(known: argparse.Namespace, rest: Sequence[str]) -> int:
    refuse_rest(rest, "doctor")
    from jupyter_gpuperf.client.doctor import run
    from jupyter_gpuperf.display.doctor_report import Report

    answer = run(known, here=False)
    say(json.dumps(answer.to_dict(), ensure_ascii=False) if known.json else repr(answer))
    return FAILED if isinstance(answer, Report) and answer.failed else DONE
