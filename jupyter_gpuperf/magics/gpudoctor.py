"""``%gpudoctor``: what is the matter with this kernel's environment, and what to type."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.process import arg_split

from jupyter_gpuperf.client.doctor import run
from jupyter_gpuperf.client.failures import in_short
from jupyter_gpuperf.commands.doctor_options import add_options
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.doctor_report import Differences, Report
from jupyter_gpuperf.errors import BadRequest


@in_short()
def gpudoctor(line: str) -> Report | Differences:
    """Look at everything that makes this notebook slow or broken, and say what to type.

    %gpudoctor                   what is wrong, and the lines that mend it
    %gpudoctor --all             what is right, too
    %gpudoctor --kernel NAME     another kernel's environment
    %gpudoctor --save FILE       write the report, to compare later or elsewhere
    %gpudoctor --compare FILE    what differs from a report that was saved
    """
    words = arg_split(line, posix=True)
    parser = OptionParser(prog="%gpudoctor", allow_abbrev=False, add_help=False)
    add_options(parser)
    if {"-h", "--help"} & set(words):
        raise BadRequest("usage", "See %gpudoctor?", "")
    return run(parser.parse_args(words), here=True)


def register(ipython: InteractiveShell) -> None:
    """Give ``ipython`` the magic."""
    ipython.register_magic_function(gpudoctor)
