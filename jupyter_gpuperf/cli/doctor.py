"""``doctor``: check everything that makes a GPU notebook slow or broken."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jupyter_gpuperf.cli.answers import DONE, FAILED, add_command, answers_in_json, say


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add the command."""
    from jupyter_gpuperf.commands.doctor_options import add_options

    parser = add_command(
        commands,
        "doctor",
        _doctor,
        help="check everything that can make a GPU notebook slow or broken, and show how to fix it",
        description="The exit code is 1 if a check fails.",
    )
    add_options(parser)
    answers_in_json(parser)


def _doctor(known: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.doctor import run
    from jupyter_gpuperf.display.doctor_report import Report

    answer = run(known, in_kernel=False)
    say(json.dumps(answer.to_dict(), ensure_ascii=False) if known.json else repr(answer))
    return FAILED if isinstance(answer, Report) and answer.failed else DONE
