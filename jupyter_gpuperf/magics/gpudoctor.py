"""``%gpudoctor``: report problems of this kernel's environment, and the commands that fix them."""

from __future__ import annotations

import argparse

from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.doctor import run
from jupyter_gpuperf.client.failures import in_short
from jupyter_gpuperf.commands.doctor_options import add_options
from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.doctor_report import Differences, Report
from jupyter_gpuperf.errors import BadRequest


@in_short()
def gpudoctor(line: str) -> Report | Differences:
    """Look at everything that makes this notebook slow or broken, and say what to type.

    %gpudoctor                   what is wrong, and the commands that fix it
    %gpudoctor --all             what is right, too
    %gpudoctor --kernel NAME     another kernel's environment
    %gpudoctor --save FILE       write the report, to compare later or elsewhere
    %gpudoctor --compare FILE    what differs from a report that was saved
    """
    return run(parse(line), here=True)


def parse(line: str) -> argparse.Namespace:
    """Return the options of a line."""
    words = words_of(line)
    parser = OptionParser(prog="%gpudoctor", allow_abbrev=False, add_help=False)
    add_options(parser)
    if {"-h", "--help"} & set(words):
        raise BadRequest("usage", "See %gpudoctor?", "")
    return parser.parse_args(words)


def register(ipython: InteractiveShell) -> None:
    """Register the magic with ``ipython``."""
    ipython.register_magic_function(gpudoctor)
