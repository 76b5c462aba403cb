"""``%gpudoctor``: report problems of this kernel's environment, and the commands that fix them."""

from __future__ import annotations

import argparse
from typing import Final

from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.doctor import run
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.commands.doctor_options import add_options
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.doctor_report import DoctorComparisonView, DoctorReportView
from jupyter_gpuperf.messages import Message

MANUAL: Final = Message(
    """Check everything that can make this notebook slow or broken, and show how to fix it.

%gpudoctor                   show the problems, and the commands that fix them
%gpudoctor --all             show passed checks too
%gpudoctor --kernel NAME     check another kernel's environment
%gpudoctor --save FILE       save the report, to compare later or elsewhere
%gpudoctor --compare FILE    show the differences from a saved report
"""
)


@shortened_errors()
def gpudoctor(line: str) -> DoctorReportView | DoctorComparisonView | None:
    """Check the notebook's environment. :func:`register` replaces this docstring."""
    if prints_help(words_of(line), MANUAL):
        return None
    return run(parse(line), in_kernel=True)


def parse(line: str) -> argparse.Namespace:
    """Parse the line into its options.

    Raises
    ------
    BadRequest
        ``usage``: an unknown option.
    """
    parser = OptionParser(prog="%gpudoctor", allow_abbrev=False, add_help=False)
    add_options(parser)
    return parser.parse_args(words_of(line))


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    set_manual(gpudoctor, MANUAL)
    ipython.register_magic_function(gpudoctor)
