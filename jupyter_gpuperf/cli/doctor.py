"""``doctor``: check everything that makes a GPU notebook slow or broken."""

from __future__ import annotations

import argparse
import json
from typing import Any

from jupyter_gpuperf.cli.answers import DONE, FAILED, add_command, print_line


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``doctor`` to the commands of ``jupyter gpuperf``."""
    from jupyter_gpuperf.commands.doctor_options import add_options

    meaning = "check everything that can make a GPU notebook slow or broken, and show how to fix it"
    codes = "The exit code is 1 if a check fails."
    parser = add_command(commands, "doctor", _doctor, help=meaning, description=codes)
    add_options(parser)


def _doctor(parsed: argparse.Namespace) -> int:
    from jupyter_gpuperf.client.doctor import run
    from jupyter_gpuperf.display.doctor_report import DoctorReportView

    answer = run(parsed, in_kernel=False)
    print_line(json.dumps(answer.to_dict(), ensure_ascii=False) if parsed.json else repr(answer))
    return FAILED if isinstance(answer, DoctorReportView) and answer.failed else DONE
